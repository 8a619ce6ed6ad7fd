"""Collects the rows in which a new edition differs from the previous one, entry after entry."""

import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from serve.build.draft import Draft
from serve.build.entries import ServedEntry, carried
from serve.build.sorted_keys import SortedKeyCursor
from serve.build.totals import Digest, positive
from serve.disk import REMEDY
from serve.edition.base import DELETED, ENTRIES, KINDS, LATEST
from serve.edition.edition import Edition
from serve.edition.layers import TableBuilder
from serve.edition.records import RECORDS
from serve.edition.segments import Place, SegmentWriter
from serve.edition.selection import micros
from serve.entry.reasons import FORGOTTEN, Held, Judged, Reason
from serve.entry.render import body
from serve.errors import EditionBroken

_NOTHING = Place(0, 0, 0)
What = Literal["raw", "seen", "reason"]


class Columns:
    """The rows of all shown entries and the records of all known ones, in key order.

    Rows that equal those of the previous edition are left out. If the draft has names, only entries
    of these servers are passed in, else all. A known entry that is missing is noted as unknown.
    """

    def __init__(self, segments: SegmentWriter, draft: Draft) -> None:
        self._segments = segments
        self._draft = draft
        self._previous = previous = draft.previous
        self._records = previous.records if previous else None
        self._follow = SortedKeyCursor(self._records.keys if self._records else None)
        self._sequence = draft.sequence
        self._now = micros(draft.now)
        self._due = self._known_of(draft.names)
        self._next = next(self._due, None)
        self.entries, self.records = TableBuilder(ENTRIES), TableBuilder(RECORDS)
        self._reasons: dict[bytes, Place] = {}
        before = previous.manifest if previous else None
        self._content = Digest(before.content_hash if before else "0")
        self._record_hash = Digest(before.records_hash if before else "0")
        self._parts = Counter(before.parts if before else {})
        self._verdicts = Counter(before.verdicts if before else {})
        self._treated = Counter(before.treatments if before else {})
        self._tombstones = before.tombstones if before else 0
        self._changed = 0
        self._last = b""
        self._held = (
            {(row.name, row.version): row for row in self._records.held} if self._records else {}
        )
        self.servers = before.servers if before else 0
        self.treatments: list[tuple[str, str, str, str, str]] = []

    def add(self, entry: ServedEntry, before: int | None) -> None:
        """Append an entry if it changed; an unchanged body is reused, else a new one is written.
        `before` is the entry's number in the previous edition."""
        content, previous, gone = entry.content, self._previous, entry.state != "admitted"
        assert entry.key > self._last, "entries come in key order, each once"
        self._last = entry.key
        values = {
            "flags": LATEST * entry.latest | DELETED * gone,
            "published": micros(entry.published_at),
            "updated": micros(entry.updated_at),
            "signature": content.signature,
        }
        old: dict[str, Any] = {}  # by column
        if previous is not None and before is not None:
            layer, row = previous.entries.locate(before)
            old = {name: column[row].item() for name, column in layer.columns.items()}
            if all(old[name] == value for name, value in values.items()):
                return
            self._uncount(previous, before, old)
        if old and old["signature"] == content.signature:
            place = Place(old["segment"], old["offset"], old["length"])
            values |= {name: old[name] for name in ("sequence", "kind", "changed")}
        else:
            served = body(
                content,
                state=entry.state,
                edition=self._draft.edition,
                sequence=self._sequence,
                namespace=self._draft.namespace,
            )
            place = self._segments.add(served)
            values |= {
                "sequence": self._sequence,
                "kind": KINDS.index(self._kind(entry.state, before)),
                "changed": self._now,
            }
            self._changed += 1
        if gone and previous is not None and before is not None:
            text = previous.text(before)  # still matches, so followers of a search see it go
        else:
            shown = msgspec.json.decode(content.server, type=_Parts)
            text = entry.key.partition(b"\0")[0].lower() + b"\0"
            self._parts.update(shown.parts)
        version = entry.key.partition(b"\0")[2]
        self.entries.add(
            (entry.key, text),
            **values,
            segment=place.segment,
            offset=place.offset,
            length=place.length,
            version_tag=zlib.crc32(version),
        )
        self._tombstones += gone
        self._content.add(entry.key, content.signature)

    def _uncount(self, previous: Edition, before: int, old: dict[str, Any]) -> None:
        """Subtract an entry of the previous edition from the hash and the counts."""
        self._content.remove(previous.key(before), old["signature"])
        if old["flags"] & DELETED:
            self._tombstones -= 1
        else:
            try:
                server = msgspec.json.decode(previous.body(before), type=_Body).server
            except msgspec.DecodeError as error:
                raise EditionBroken(f"{previous.folder} is damaged: {error}; {REMEDY}") from error
            self._parts.subtract(server.parts)

    def _kind(self, state: str, before: int | None) -> str:
        if state != "admitted":
            return state
        if before is None or self._previous is None:
            return "added"
        return "restored" if self._previous.deleted(before) else "changed"

    def know(self, key: bytes, judged: Judged, raw: bytes, shared: int, seen: bytes) -> None:
        """Append an entry's record, shown or not, if it changed; `shared` as in RECORD_COLUMNS."""
        before = self._follow.at(key)
        self._forget(self._follow.next)
        if before is not None:
            self._next = next(self._due, None)
        self._note(key, judged, raw, shared, seen, before)

    def keep(self, key: bytes, before: int | None, *, latest: bool) -> None:
        """Keep the previous row (number `before`, None if not shown); only the latest flag may
        change. Raises EditionBroken if the previous edition has no record of the entry."""
        record, records = self._follow.at(key), self._records
        self._forget(self._follow.next)
        if record is None or records is None or self._previous is None:
            raise EditionBroken(f"the live edition knows nothing of {key!r}; {REMEDY}")
        self._next = next(self._due, None)
        self.treat(key, records.judged(record).reason)
        if before is not None:
            flags = self._previous.arrays["flags"][before]
            if latest != bool(flags & LATEST):
                self.add(carried(self._previous, before, latest=latest), before)

    def treat(self, key: bytes, reason: Reason) -> None:
        """Note what was done to an entry, for the report of the build."""
        name, _, version = key.decode().partition("\0")
        self.treatments += [(name, version, t.kind, t.rule, t.detail) for t in reason.treatments]

    def _known_of(self, names: Collection[bytes] | None) -> Iterator[int]:
        """Numbers of the records that are expected: of these servers, or all."""
        if self._records is None:
            return
        keys = self._records.keys
        if names is None:
            yield from range(len(keys))
        else:
            for name in sorted(names):
                yield from keys.of(name)

    def _forget(self, until: int) -> None:
        """Mark records before number `until` that were skipped as no longer known upstream."""
        while self._records is not None and self._next is not None and self._next < until:
            gone = Judged(FORGOTTEN, "")
            self._note(self._records.keys[self._next], gone, b"", 0, b"", self._next)
            self._next = next(self._due, None)

    def _note(
        self, key: bytes, judged: Judged, raw: bytes, shared: int, seen: bytes, before: int | None
    ) -> None:
        reason, records = judged.reason, self._records
        name, _, version = key.decode().partition("\0")
        self.treat(key, reason)
        known = self._held.pop((name, version), None)
        if reason.state == "held":
            self._hold(name, version, reason.held_until, known)
        encoded = msgspec.json.encode(judged)
        new: dict[What, bytes] = {"raw": raw, "seen": seen, "reason": encoded}
        old: dict[What, bytes] = {}
        if records is not None and before is not None:
            old = {
                "raw": records.stored(before),
                "seen": records.seen(before),
                "reason": records.encoded_reason(before),
            }
            if old == new and records.shared(before) == shared:
                return
            self._record_hash.remove(key, old["reason"] + old["raw"])
            self._tally(msgspec.json.decode(old["reason"], type=Judged).reason, -1)
        # `seen` is not hashed: values that rules read change daily and must not make an edition.
        self._record_hash.add(key, encoded + raw)
        self._tally(reason, 1)
        values: dict[str, int] = {"raw_shared": shared}
        for what, data in new.items():
            place = self._stored(what, data, before if old and old[what] == data else None)
            values |= {
                f"{what}_segment": place.segment,
                f"{what}_offset": place.offset,
                f"{what}_length": place.length,
            }
        self.records.add((key,), **values)

    def _tally(self, reason: Reason, number: int) -> None:
        self._verdicts[f"{reason.verdict}:{reason.rule}"] += number
        for treatment in reason.treatments:
            self._treated[f"{treatment.kind}:{treatment.rule}"] += number

    def _stored(self, what: What, data: bytes, before: int | None) -> Place:
        """Where data is stored: reuses the place of the previous record `before`, if given."""
        if not data:
            return _NOTHING
        if before is not None and self._records is not None:
            columns = self._records.table.columns
            names = (f"{what}_{name}" for name in ("segment", "offset", "length"))
            return Place(*(int(columns[name][before]) for name in names))
        if what != "reason":
            return self._segments.put_aside(data)
        if data not in self._reasons:  # equal reasons are stored once
            self._reasons[data] = self._segments.put_aside(data)
        return self._reasons[data]

    def _hold(self, name: str, version: str, until: datetime | None, known: Held | None) -> None:
        """Announce a held version, unless that was done; a changed `until` is announced again."""
        if known is None or known.until != until:
            known = Held(name, version, self._sequence, None, until)
        self._held[name, version] = known

    def finish(self) -> dict[str, Any]:
        """The counts and hashes for the manifest; call it after the last entry."""
        if self._records is not None:
            self._forget(len(self._records.keys))
        return {
            "content_hash": str(self._content),
            "records_hash": str(self._record_hash),
            "servers": self.servers,
            "tombstones": self._tombstones,
            "withheld": sum(n for key, n in self._treated.items() if key.startswith("withheld")),
            "held": len(self._held),
            "changed": self._changed,
            "parts": positive(self._parts),
            "verdicts": positive(self._verdicts),
            "treatments": positive(self._treated),
        }

    def held(self) -> list[Held]:
        """The held versions, sorted by (sequence, name, version)."""
        # Rows without an instant come from the previous edition, whose instant is known by now.
        at = self._previous.manifest.published_at if self._previous else None
        rows = [
            msgspec.structs.replace(held, announced_at=at)
            if held.announced_at is None and held.sequence != self._sequence
            else held
            for held in self._held.values()
        ]
        return sorted(rows, key=lambda held: (held.sequence, held.name, held.version))


class _Package(msgspec.Struct):
    kind: str = msgspec.field(name="registryType")


class _Parts(msgspec.Struct):
    packages: tuple[_Package, ...] = ()
    remotes: tuple[msgspec.Raw, ...] = ()

    @property
    def parts(self) -> set[str]:
        """The registry types of the packages, and `remote` if there is any."""
        return {part.kind for part in self.packages} | ({"remote"} if self.remotes else set())


class _Body(msgspec.Struct):
    server: _Parts
