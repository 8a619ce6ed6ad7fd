"""Survey: one pass over a drained walk for flags per name, names read again, and instants."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from connectors.upstreams.stated import Stated, read_stated
from pipelines.pull.spool import PageKind, Spool


@dataclass(frozen=True)
class Survey:
    """What a drained spool holds: `entries` counts those of list pages, `reread` are the names read
    again since the last commit, `latest` counts flags per name, `after_commit` is the smallest
    number of a list page, `blockless` entries that can be read and do not say whether they are the
    latest."""

    pages: int
    entries: int
    stale: bool
    asked_at: datetime
    after_commit: int
    reread: frozenset[str]
    latest: Counter[str]
    blockless: int


def survey(spool: Spool, commits: int) -> Survey:
    pages, entries, stale, asked_at, after_commit = 0, 0, False, None, commits
    reread: set[str] = set()
    latest: Counter[str] = Counter()
    blockless = 0
    for page in spool.pages():
        if page.kind == PageKind.VERSION:
            continue
        flags = [
            (head.name, head.is_latest)
            for head in page.heads
            if head is not None and head.is_latest is not None
        ]
        if page.kind == PageKind.VERSIONS:
            # What a broken walk read again before the last commit is out of date.
            if page.after_commit == commits:
                reread.update(name for name, _ in flags)
            continue
        pages += 1
        entries += len(page.heads)
        stale = stale or page.stale
        asked_at = asked_at or page.asked_at
        after_commit = min(after_commit, page.after_commit)
        blockless += sum(
            _is_blockless(raw)
            for raw, head in zip(page.entries, page.heads, strict=True)
            if head is not None and head.is_latest is None
        )
        for name, is_latest in flags:
            latest[name] += is_latest
    if asked_at is None:
        raise AssertionError("a drained walk has a page")
    return Survey(
        pages=pages,
        entries=entries,
        stale=stale,
        asked_at=asked_at,
        after_commit=after_commit,
        reread=frozenset(reread),
        latest=latest,
        blockless=blockless,
    )


def _is_blockless(raw: bytes) -> bool:
    record = read_stated(raw)
    return isinstance(record, Stated) and record.claims.is_latest is None
