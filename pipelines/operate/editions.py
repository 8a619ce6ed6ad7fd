"""Editions: which ones a feed keeps, and whether their files are intact."""

from collections.abc import Iterator

from serve.api.pages import Pages, check_pages
from serve.edition.edition import Edition
from serve.edition.manifests import read_manifest
from serve.edition.verification import verify
from serve.errors import EditionBroken
from serve.feed.feed import Feed

Row = dict[str, object]


def list_editions(feed: Feed, edition: str | None) -> Iterator[Row]:
    """The editions that are kept, oldest first, or the one named."""
    live, candidate = feed.current_id(), feed.candidate_id()
    for name in _kept(feed, edition):
        state = "live" if name == live else "candidate" if name == candidate else "kept"
        try:
            manifest = read_manifest(feed.editions / name)
        except EditionBroken as error:
            yield {"edition": name, "feed": feed.name, "state": state, "problem": str(error)}
            continue
        yield {
            "edition": name,
            "feed": feed.name,
            "state": state,
            "sequence": manifest.sequence,
            "published_at": manifest.published_at,
            "entries": manifest.entries,
            "base": manifest.base,
            "segments": len(manifest.segments),
        }


def verify_editions(feed: Feed, edition: str | None) -> Iterator[Row]:
    """Check every byte of the kept editions, or of the one named, against its manifest."""
    for name in _kept(feed, edition):
        folder, problem = feed.editions / name, None
        try:
            manifest = verify(folder, whole=True)
            opened = Edition(folder)
            if opened.count != manifest.entries:
                problem = f"it has {opened.count} entries, its manifest says {manifest.entries}"
            problem = problem or next(_misplaced(opened), None)
            if (folder / "pages").exists():
                problem = problem or next(check_pages(opened, Pages(folder / "pages")), None)
        except (EditionBroken, ValueError) as error:
            problem = str(error)
        yield {"edition": name, "feed": feed.name, "whole": problem is None} | (
            {"problem": problem} if problem else {}
        )


def _misplaced(edition: Edition) -> Iterator[str]:
    """Bodies that do not start and end where their rows say; a comma follows each body."""
    for index in range(edition.count):
        (segment, offset, length), *_ = edition.places([index])
        body = edition.stored(segment, offset, length + 1)
        if (body[:1], body[-2:]) != (b"{", b"},") or len(body) != length + 1:
            yield f"the body of entry {index} is not where its row says"


def _kept(feed: Feed, edition: str | None) -> list[str]:
    if not feed.editions.is_dir():
        return []
    # An ID begins with its instant, so this sorts by age; a suffix marks an incomplete folder.
    names = sorted(path.name for path in feed.editions.iterdir() if not path.suffix)
    return [name for name in names if edition in (None, name)]
