"""Editions: what is kept of a feed, and whether it is what was written."""

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
            told = read_manifest(feed.editions / name)
        except EditionBroken as error:
            yield {"edition": name, "feed": feed.name, "state": state, "problem": str(error)}
            continue
        yield {
            "edition": name,
            "feed": feed.name,
            "state": state,
            "sequence": told.sequence,
            "published_at": told.published_at,
            "entries": told.entries,
            "base": told.base,
            "segments": len(told.segments),
        }


def verify_editions(feed: Feed, edition: str | None) -> Iterator[Row]:
    """Read every byte of the kept editions, or of the one named, against what was written."""
    for name in _kept(feed, edition):
        folder, problem = feed.editions / name, None
        try:
            told = verify(folder, whole=True)
            found = Edition(folder)
            if found.count != told.entries:
                problem = f"it has {found.count} entries, its manifest says {told.entries}"
            problem = problem or next(_misplaced(found), None)
            if (folder / "pages").exists():
                problem = problem or next(check_pages(found, Pages(folder / "pages")), None)
        except (EditionBroken, ValueError) as error:
            problem = str(error)
        yield {"edition": name, "feed": feed.name, "whole": problem is None} | (
            {"problem": problem} if problem else {}
        )


def _misplaced(edition: Edition) -> Iterator[str]:
    """Bodies that do not begin and end where their rows say, with a comma behind them."""
    for index in range(edition.count):
        (segment, offset, length), *_ = edition.places([index])
        found = edition.stored(segment, offset, length + 1)
        if (found[:1], found[-2:]) != (b"{", b"},") or len(found) != length + 1:
            yield f"the body of entry {index} is not where its row says"


def _kept(feed: Feed, edition: str | None) -> list[str]:
    if not feed.editions.is_dir():
        return []
    names = sorted(path.name for path in feed.editions.iterdir() if not path.suffix)
    return [name for name in names if edition in (None, name)]
