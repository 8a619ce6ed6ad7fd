"""Editions, what differs between two of them, and changes by sequence."""

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
    """Behind which (sequence, key) changes go on, in which edition if one was asked for."""

    sequence: int
    key: bytes
    edition: str | None


class _Key(msgspec.Struct, array_like=True):
    kind: str
    key: bytes


def editions(segments: Sequence[bytes], query: Query, shelf: EditionStore) -> Answer | None:
    """/editions, and /editions/FROM/diff/TO."""
    match segments:
        case []:
            return _editions(query, shelf)
        case [before, b"diff", after]:
            return _differences(
                shelf.find(before.decode("utf-8", "replace")),
                shelf.find(after.decode("utf-8", "replace")),
                query,
            )
        case _:
            return None


def _editions(query: Query, shelf: EditionStore) -> Answer:
    limit, live = read_limit(query), shelf.live().manifest.edition
    behind = unseal(query["cursor"], _Place).sequence if query.get("cursor") else None
    published = [
        found
        for found in reversed(shelf.ledger().values())
        if behind is None or found.sequence < behind
    ]
    shown = [
        models.EditionInfo(
            **msgspec.structs.asdict(found),
            live=found.edition == live,
            kept=shelf.kept(found.edition),
        )
        for found in published[:limit]
    ]
    metadata = models.PageMetadata(len(shown))
    if len(published) > limit:
        metadata.next_cursor = seal(_Place(shown[-1].sequence, b"", None))
    return document(models.EditionList(shown, metadata))


def changes(query: Query, edition: Edition, shelf: EditionStore, *, pinned: bool) -> Answer:
    """What changed after `since_sequence`, by sequence and key; each entry once, as it is now.

    A walk goes on in the live edition: what changed again meanwhile comes later in it.
    """
    limit, place = read_limit(query), _Place(read_sequence(query), b"\xff", None)
    if query.get("cursor"):
        place = unseal(query["cursor"], _Place)
        edition = shelf.find(place.edition) if place.edition else shelf.live()
        pinned = place.edition is not None
    found = list(islice(_changed(edition, place), limit + 1))
    shown = found[: _fitting(edition, found[:limit])]
    try:
        first = next(iter(shelf.ledger().values()), None)
    except EditionBroken:
        first = None
    metadata: dict[str, Any] = {
        "count": len(shown),
        "sequence": edition.manifest.sequence,
        "firstSequence": first.sequence if first else edition.manifest.sequence,
    }
    if len(found) > len(shown):
        at = edition.manifest.edition if pinned else None
        metadata["nextCursor"] = seal(_Place(shown[-1].sequence, shown[-1].key, at))
    answer = {"changes": [_change(edition, item) for item in shown], "metadata": metadata}
    return document(answer, edition)


@dataclass(frozen=True)
class _Changed:
    """A change by (sequence, key): entry `index` of the edition, or a version that is held."""

    sequence: int
    key: bytes
    index: int
    held: Held | None = None

    @property
    def place(self) -> tuple[int, bytes]:
        return self.sequence, self.key


def _changed(edition: Edition, place: _Place) -> Iterator[_Changed]:
    """Changes behind a place, in order."""
    entries = (
        _Changed(int(edition.arrays["sequence"][i]), edition.key(i), i)
        for i in edition.after(place.sequence, place.key)
    )
    behind = (place.sequence, place.key)
    held = (found for found in _announced(edition) if found.place > behind)
    return merge(entries, held, key=lambda found: found.place)


def _announced(edition: Edition) -> Iterator[_Changed]:
    for held in edition.records.held:
        yield _Changed(held.sequence, f"{held.name}\0{held.version}".encode(), -1, held)


def _fitting(edition: Edition, found: Sequence[_Changed]) -> int:
    """How many fit on one page."""
    entries = [number for number, item in enumerate(found) if item.held is None]
    fit = edition.fitting([found[number].index for number in entries])
    return len(found) if fit == len(entries) else entries[fit]


def _change(edition: Edition, found: _Changed) -> dict[str, Any]:  # a models.Change, ready
    if found.held is not None:
        held = found.held
        told = {
            "kind": "held",
            "name": held.name,
            "version": held.version,
            "sequence": held.sequence,
            "publishedAt": held.announced_at or edition.manifest.published_at,
        }
        return told | ({"heldUntil": held.until} if held.until else {})
    index = found.index
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
    found = list(islice(_differing(before, after, start), limit + 1))
    metadata = models.PageMetadata(min(len(found), limit))
    if len(found) > limit:
        last = found[limit - 1]
        metadata.next_cursor = seal(_Key("diff", f"{last.name}\0{last.version}".encode()))
    return document(
        models.DifferenceList(
            before.manifest.edition, after.manifest.edition, found[:limit], metadata
        )
    )


def _differing(before: Edition, after: Edition, start: bytes) -> Iterator[models.Difference]:
    """What differs behind a key, in key order. An entry that both show as gone is no difference."""
    older, newer = sorted((before, after), key=lambda edition: edition.manifest.sequence)
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
            found = models.Difference(kind, name, version)
            if new is not None:
                found.after = _seen(after, new)
            if old is not None:
                found.before = _seen(before, old)
            yield found


_Both = Iterator[tuple[bytes, int | None, int | None]]


def _in_line(before: Edition, after: Edition, start: bytes) -> _Both:
    """Keys that changed between two editions, one of which goes back to the other."""
    older, newer = sorted((before, after), key=lambda edition: edition.manifest.sequence)
    changed = (newer.key(index) for index in newer.after(older.manifest.sequence, b"\xff"))
    for key in sorted(key for key in changed if key > start):
        parts = key.split(b"\0", 1)
        yield key, before.keys.find(*parts), after.keys.find(*parts)


def _side_by_side(before: Edition, after: Edition, start: bytes) -> _Both:
    """All keys of two editions, with their numbers in both."""
    i, j = (_behind(edition.keys, start) for edition in (before, after))
    while i < before.count or j < after.count:
        mine = before.key(i) if i < before.count else None
        yours = after.key(j) if j < after.count else None
        key = min(key for key in (mine, yours) if key is not None)
        old = i if mine == key else None
        new = j if yours == key else None
        i, j = i + (old is not None), j + (new is not None)
        yield key, old, new


def _behind(keys: TableKeys, start: bytes) -> int:
    return keys.after(start) if start else 0


def _seen(edition: Edition, index: int) -> models.Seen:
    state: Any = edition.state(index)
    return models.Seen(state, int(edition.arrays["sequence"][index]))


def syndicated(name: bytes, query: Query, edition: Edition, title: str, site: str) -> Answer | None:
    """The newest changes of an edition as a feed for feed readers: feed.json or feed.rss."""
    if name not in (b"feed.json", b"feed.rss"):
        return None
    limit = read_limit(query)
    sequence = edition.arrays["sequence"]
    changed = [_Changed(int(sequence[i]), edition.key(i), i) for i in edition.newest(limit)]
    changed = sorted([*changed, *_announced(edition)], key=lambda found: -found.sequence)[:limit]
    items = [_item(edition, found, site) for found in changed]
    if name == b"feed.json":
        return document(json_feed(title, site, items))
    return Answer(200, (rss(title, site, items),), b"application/rss+xml")


def _item(edition: Edition, found: _Changed, site: str) -> Item:
    if found.held is not None:
        held = found.held
        until = f"until {held.until:%Y-%m-%dT%H:%M:%SZ}" if held.until else "until its age is known"
        at = held.announced_at or edition.manifest.published_at or edition.manifest.built_at
        return Item(site, held.name, held.version, "held", held.sequence, at, f"held {until}")
    index = found.index
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
