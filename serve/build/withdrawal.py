"""The edition that makes blocks permanent: the live edition without the blocked entries."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from serve.build.draft import draft_like
from serve.build.entries import ServedEntry, carried
from serve.build.rows import Columns
from serve.build.sorted_keys import SortedKeyCursor
from serve.build.writer import Built, write_edition
from serve.edition.edition import Edition
from serve.edition.masks import Replacement, judged_by, replacements
from serve.policy.blocks import Block


def write_blocked(
    live: Edition,
    blocks: Sequence[Block],
    *,
    edition: str,
    root: Path,
    now: datetime,
) -> Built | None:
    """Write the live edition without the blocked entries; None if it shows none of them."""
    others = dict(replacements(live, blocks))
    if not others:
        return None
    draft = draft_like(live, live=live, edition=edition, root=root, now=now)
    return write_edition(draft, lambda columns: _copy(columns, live, others))


def _copy(columns: Columns, live: Edition, others: dict[int, Replacement]) -> None:
    records, shown = live.records, SortedKeyCursor(live.keys)
    for at in range(len(records.keys)):
        key = records.keys[at]
        index, judged = shown.at(key), records.judged(at)
        stored, seen = records.stored(at), records.seen(at)
        shared = records.shared(at)
        if index is not None:
            other = others.get(index)
            columns.add(_entry(live, index, other), index)
            if other is not None and other.block is not None:
                judged, stored, shared = judged_by(other.block, shown=index), b"", 0
            elif other is not None and shared:
                stored, shared = records.whole(at) or b"", 0
        columns.know(key, judged, stored, shared, seen)


def _entry(live: Edition, index: int, other: Replacement | None) -> ServedEntry:
    entry = carried(live, index)
    if other is None:
        return entry
    return replace(entry, content=other.content, state=other.state, latest=other.latest)
