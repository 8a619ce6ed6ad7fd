"""Rollback: writes a candidate that repeats the content of an earlier edition.

The candidate is a new edition with a new sequence, so readers who follow changes see the rollback.
Entries that only the live edition has become tombstones. Bodies are the ones served at that time,
even if the policy or the repairs are different today.
"""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby
from pathlib import Path

from serve.build.draft import draft_like
from serve.build.entries import ServedEntry, carried
from serve.build.rows import Columns
from serve.build.sorted_keys import SortedKeyCursor
from serve.build.writer import Built, write_edition
from serve.edition.edition import Edition
from serve.edition.selection import from_micros
from serve.edition.tables import TableKeys
from serve.entry.latest import choose_latest
from serve.entry.reasons import FORGOTTEN, Judged, Reason
from serve.entry.render import tombstone


def write_rollback(
    target: Edition, *, live: Edition, edition: str, root: Path, now: datetime
) -> Built:
    """Write a candidate with the content of `target`, to go live after `live`."""
    draft = draft_like(target, live=live, edition=edition, root=root, now=now)
    return write_edition(draft, lambda columns: _restore(columns, target, live))


def _restore(columns: Columns, target: Edition, live: Edition) -> None:
    records, later = target.records, live.records
    known = merge(_all(records.keys), _all(later.keys))
    recorded, now_recorded, shown, now_shown = (
        SortedKeyCursor(table) for table in (records.keys, later.keys, target.keys, live.keys)
    )
    for _, names in groupby(known, key=lambda key: key.partition(b"\0")[0]):
        keys = [key for key, _ in groupby(names)]  # most keys occur in both editions
        places = [(key, shown.at(key), now_shown.at(key)) for key in keys]
        left = [(key, index) for key, then, index in places if then is None and index is not None]
        latest = None
        # The target shows nothing of this server, so one of its tombstones must be the latest.
        if left and all(then is None for _, then, _ in places):
            dated = [
                (
                    key.partition(b"\0")[2].decode(),
                    from_micros(int(live.arrays["published"][index])),
                )
                for key, index in left
            ]
            latest = left[choose_latest(dated)][0]
        # The count starts from the live edition's; add the servers that only the target shows.
        columns.servers += all(index is None for _, _, index in places) and any(
            then is not None for _, then, _ in places
        )
        for key, then, index in places:
            if then is not None:
                columns.add(carried(target, then), index)
            elif index is not None:
                columns.add(_left(target, live, index, latest=key == latest), index)
            at, now_at = recorded.at(key), now_recorded.at(key)
            if (
                then is None
                and index is None
                and (now_at is None or later.judged(now_at).reason == FORGOTTEN)
            ):
                # Unknown to the readers of the live edition, and it stays so.
                columns.know(key, Judged(FORGOTTEN, ""), b"", 0, b"")
            elif at is not None and (then is not None or index is None):
                stored, shared = records.stored(at), records.shared(at)
                columns.know(key, records.judged(at), stored, shared, records.seen(at))
            else:
                reason = Reason(
                    "withdrawn" if index is not None else "excluded",
                    "exclude",
                    "rollback",
                    _why(target),
                )
                columns.know(key, Judged(reason, ""), b"", 0, b"")


def _left(target: Edition, live: Edition, index: int, *, latest: bool) -> ServedEntry:
    """A tombstone for an entry that the target edition did not have."""
    name, version = live.keys.pair(index)
    published = from_micros(int(live.arrays["published"][index]))
    updated = from_micros(int(live.arrays["updated"][index]))
    content = tombstone(
        name=name,
        version=version,
        schema_uri=None,
        description="This version was withdrawn from this feed.",
        message=f"withdrawn from this feed: {_why(target)}",
        published_at=published,
        updated_at=updated,
        status_changed_at=None,
        is_latest=latest,
        namespace=target.manifest.namespace,
    )
    return ServedEntry(
        live.key(index),
        content,
        "withdrawn",
        latest=latest,
        published_at=published,
        updated_at=updated,
    )


def _why(target: Edition) -> str:
    return f"the feed went back to edition {target.manifest.edition}"


def _all(keys: TableKeys) -> Iterator[bytes]:
    return (keys[index] for index in range(len(keys)))
