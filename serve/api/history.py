"""Editions, the differences between two of them, and changes by sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any

import msgspec

from serve.api import models
from serve.api.answers import Answer, document
from serve.api.cursor import CursorBroken, seal, unseal
from serve.api.editions import EditionStore
from serve.api.params import read_limit, read_sequence
from serve.api.syndication import Item, json_feed, rss
from serve.edition.base import KINDS
from serve.edition.edition import Edition
from serve.edition.selection import from_micros
from serve.edition.tables import TableKeys
from serve.entry.reasons import Held
from serve.errors import EditionBroken

Query = dict[str, bytes]


class _Place(msgspec.Struct, array_like=True):
    """The (sequence, key) after which changes continue, and the edition, if one was asked for."""

    sequence: int
    key: bytes
    edition: str | None


class _Key(msgspec.Struct, array_like=True):
    kind: str
    key: bytes


def editions(segments: Sequence[bytes], query: Query, store: EditionStore) -> Answer | None:
    """/editions, and /editions/FROM/diff/TO; None for other paths."""
    match segments:
        case []:
            return _editions(query, store)
        case [before, b"diff", after]:
            return _differences(
                store.find(before.decode("utf-8", "replace")),
                store.find(after.decode("utf-8", "replace")),
                query,
            )
        case _:
            return None


def _editions(query: Query, store: EditionStore) -> Answer:
    limit, live = read_limit(query), store.live().manifest.edition
    before = unseal(query["cursor"], _Place).sequence if query.get("cursor") else None
    published = [
        row for row in reversed(store.ledger().values()) if before is None or row.sequence < before
    ]
    shown = [
        models.EditionInfo(
            **msgspec.structs.asdict(row) | {"entries": row.entries - row.tombstones},
            live=row.edition == live,
            kept=store.kept(row.edition),
        )
        for row in published[:limit]
    ]
    metadata = models.PageMetadata(len(shown))
    if len(published) > limit:
        metadata.next_cursor = seal(_Place(shown[-1].sequence, b"", None))
    return document(models.EditionList(shown, metadata))


def changes(query: Query, edition: Edition, store: EditionStore, *, pinned: bool) -> Answer:
    """Changes after `since_sequence`, by sequence and key; each entry once, in its present state.

    Unless `pinned`, a walk continues in the live edition: an entry that changes again meanwhile
    comes again, later in the walk.
    """
    # No key reaches 0xff, which UTF-8 never contains: skip all changes of the sequence itself.
    limit, place = read_limit(query), _Place(read_sequence(query), b"\xff", None)
    if query.get("cursor"):
        place = unseal(query["cursor"], _Place)
        edition = store.find(place.edition) if place.edition else store.live()
        pinned = place.edition is not None
    rows = list(islice(_changed(edition, place), limit + 1))
    shown = rows[: _fitting(edition, rows[:limit])]
    try:
        first = next(iter(store.ledger().values()), None)
    except EditionBroken:  # the ledger is only needed for `firstSequence`
        first = None
    metadata: dict[str, Any] = {
        "count": len(shown),
        "sequence": edition.manifest.sequence,
        "firstSequence": first.sequence if first else edition.manifest.sequence,
    }
    if len(rows) > len(shown):
        at = edition.manifest.edition if pinned else None
        metadata["nextCursor"] = seal(_Place(shown[-1].sequence, shown[-1].key, at))
    answer = {"changes": [_change(edition, change) for change in shown], "metadata": metadata}
    return document(answer, edition)


@dataclass(frozen=True)
class _Changed:
    """A change by (sequence, key): of entry `index`, or (-1) of a version that is `held`."""

    sequence: int
    key: bytes
    index: int
    held: Held | None = None

    @property
    def place(self) -> tuple[int, bytes]:
        return self.sequence, self.key


def _changed(edition: Edition, place: _Place) -> Iterator[_Changed]:
    """Changes after a place, by (sequence, key)."""
    entries = (
        _Changed(int(edition.arrays["sequence"][i]), edition.key(i), i)
        for i in edition.after(place.sequence, place.key)
    )
    behind = (place.sequence, place.key)
    held = (change for change in _announced(edition) if change.place > behind)
    # Entries and held versions are both sorted by (sequence, key) already.
    return merge(entries, held, key=lambda change: change.place)


def _announced(edition: Edition) -> Iterator[_Changed]:
    for held in edition.records.held:
        yield _Changed(held.sequence, f"{held.name}\0{held.version}".encode(), -1, held)


def _fitting(edition: Edition, rows: Sequence[_Changed]) -> int:
    """How many changes fit on one page; held versions have no body and always fit."""
    entries = [number for number, row in enumerate(rows) if row.held is None]
    fit = edition.fitting([rows[number].index for number in entries])
    return len(rows) if fit == len(entries) else entries[fit]


def _change(edition: Edition, change: _Changed) -> dict[str, Any]:  # a models.Change, ready
    if change.held is not None:
        held = change.held
        fields = {
            "kind": "held",
            "name": held.name,
            "version": held.version,
            "sequence": held.sequence,
            "publishedAt": held.announced_at or edition.manifest.published_at,
        }
        return fields | ({"heldUntil": held.until} if held.until else {})
    index = change.index
    name, version = edition.keys.pair(index)
    return {
        "kind": KINDS[int(edition.arrays["kind"][index])],
        "name": name,
        "version": version,
        "sequence": int(edition.arrays["sequence"][index]),
        "publishedAt": from_micros(int(edition.arrays["changed"][index])),
        "entry": msgspec.Raw(edition.body(index)),
    }


def _differences(before: Edition, after: Edition, query: Query) -> Answer:
    limit, start = read_limit(query), b""
    if query.get("cursor"):
        place = unseal(query["cursor"], _Key)
        if place.kind != "diff":
            raise CursorBroken("the cursor is one of another list; start this one without it")
        start = place.key
    rows = list(islice(_differing(before, after, start), limit + 1))
    metadata = models.PageMetadata(min(len(rows), limit))
    if len(rows) > limit:
        last = rows[limit - 1]
        metadata.next_cursor = seal(_Key("diff", f"{last.name}\0{last.version}".encode()))
    return document(
        models.DifferenceList(
            before.manifest.edition, after.manifest.edition, rows[:limit], metadata
        )
    )


def _differing(before: Edition, after: Edition, start: bytes) -> Iterator[models.Difference]:
    """Differences after a key, in key order. An entry that is gone in both is no difference."""
    older, newer = sorted((before, after), key=lambda edition: edition.manifest.sequence)
    # The newer edition counts its changes from the older one only if it was not built from scratch
    # since, and if no block (which changes rows, but no sequence) is in force.
    in_line = newer.manifest.began <= older.manifest.sequence
    walk = _in_line if in_line and not (older.masked or newer.masked) else _side_by_side
    for key, old, new in walk(before, after, start):
        was = old is not None and not before.deleted(old)
        is_now = new is not None and not after.deleted(new)
        if was and is_now and old is not None and new is not None:
            same = before.arrays["signature"][old] == after.arrays["signature"][new]
            kind: Any = None if same else "changed"
        else:
            kind = "added" if is_now else "removed" if was else None
        if kind:
            name, _, version = key.decode().partition("\0")
            difference = models.Difference(kind, name, version)
            if new is not None:
                difference.after = _seen(after, new)
            if old is not None:
                difference.before = _seen(before, old)
            yield difference


_Both = Iterator[tuple[bytes, int | None, int | None]]


def _in_line(before: Edition, after: Edition, start: bytes) -> _Both:
    """Keys that changed between two editions, one of which descends from the other."""
    older, newer = sorted((before, after), key=lambda edition: edition.manifest.sequence)
    changed = (newer.key(index) for index in newer.after(older.manifest.sequence, b"\xff"))
    for key in sorted(key for key in changed if key > start):
        parts = key.split(b"\0", 1)
        yield key, before.keys.find(*parts), after.keys.find(*parts)


def _side_by_side(before: Edition, after: Edition, start: bytes) -> _Both:
    """All keys of two editions, with their numbers in both (a merge join)."""
    i, j = (_behind(edition.keys, start) for edition in (before, after))
    while i < before.count or j < after.count:
        before_key = before.key(i) if i < before.count else None
        after_key = after.key(j) if j < after.count else None
        key = min(key for key in (before_key, after_key) if key is not None)
        old = i if before_key == key else None
        new = j if after_key == key else None
        i, j = i + (old is not None), j + (new is not None)
        yield key, old, new


def _behind(keys: TableKeys, start: bytes) -> int:
    return keys.after(start) if start else 0


def _seen(edition: Edition, index: int) -> models.Seen:
    state: Any = edition.state(index)
    return models.Seen(state, int(edition.arrays["sequence"][index]))


def syndicated(name: bytes, query: Query, edition: Edition, title: str, site: str) -> Answer | None:
    """The newest changes for feed readers: feed.json or feed.rss; None for another name."""
    if name not in (b"feed.json", b"feed.rss"):
        return None
    limit = read_limit(query)
    sequence = edition.arrays["sequence"]
    changed = [_Changed(int(sequence[i]), edition.key(i), i) for i in edition.newest(limit)]
    changed = sorted([*changed, *_announced(edition)], key=lambda change: -change.sequence)[:limit]
    items = [_item(edition, change, site) for change in changed]
    if name == b"feed.json":
        return document(json_feed(title, site, items))
    return Answer(200, (rss(title, site, items),), b"application/rss+xml")


def _item(edition: Edition, change: _Changed, site: str) -> Item:
    if change.held is not None:
        held = change.held
        until = f"until {held.until:%Y-%m-%dT%H:%M:%SZ}" if held.until else "until its age is known"
        at = held.announced_at or edition.manifest.published_at or edition.manifest.built_at
        return Item(site, held.name, held.version, "held", held.sequence, at, f"held {until}")
    index = change.index
    name, version = edition.keys.pair(index)
    kind = KINDS[int(edition.arrays["kind"][index])]
    described = msgspec.json.decode(edition.body(index), type=_Described)
    return Item(
        site,
        name,
        version,
        kind,
        int(edition.arrays["sequence"][index]),
        from_micros(int(edition.arrays["changed"][index])),
        described.server.description,
    )


class _Description(msgspec.Struct):
    description: str


class _Described(msgspec.Struct):
    server: _Description
