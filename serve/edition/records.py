"""Records of an edition: for each known entry, why it is in or not, and upstream's bytes of it.

The segments hold the reasons as JSON (shared by entries with the same reason), the values that the
rules read, also as JSON, and upstream's bytes: the whole entry, or only `_meta` if the served body
starts with the same server.json. Entries that the policy excludes have no copy of upstream's bytes.
"""

from copy import copy
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec

from serve.disk import map_file
from serve.edition.layers import Layer, TableSchema
from serve.edition.tables import Table, TableKeys
from serve.entry.reasons import Held, Judged
from warehouse.rules.outline import Outline, decode_outline

RECORD_COLUMNS: dict[str, str] = {
    "reason_segment": "<u4",
    "reason_offset": "<u8",
    "reason_length": "<u4",
    "raw_segment": "<u4",
    "raw_offset": "<u8",
    "raw_length": "<u4",
    "raw_shared": "<u4",
    "seen_segment": "<u4",
    "seen_offset": "<u8",
    "seen_length": "<u4",
}
"""`raw_shared` is the size of the server.json shared with the served body; 0: `raw` is whole."""
RECORDS = TableSchema(("known",), RECORD_COLUMNS)
"""One row per known entry, by its key."""

SERVER_AT = len(b'{"server":')


class Shown(Protocol):
    """The part of an edition that its records need."""

    @property
    def keys(self) -> TableKeys: ...

    def stored(self, segment: int, offset: int, length: int) -> bytes: ...

    def state(self, index: int) -> str: ...

    def body(self, index: int) -> bytes: ...


class Records:
    """The records of one edition."""

    def __init__(self, edition: Shown, table: Table, folder: Path) -> None:
        self.edition = edition
        self.table = table
        self.keys = table.keys
        self._held = map_file(folder / "held.json")[:]
        self._outline = map_file(folder / "policy.json")[:]

    def replacing_tables(self, edition: Shown, table: Table) -> "Records":
        """The same records, read from another table."""
        other = copy(self)
        other.edition, other.table, other.keys = edition, table, table.keys
        return other

    def with_overlay(self, edition: Shown, rows: Layer) -> "Records":
        """The records for another view of their edition, with rows of blocked entries replaced;
        blocked entries are no longer held."""
        other = self.replacing_tables(edition, self.table.with_overlay(rows))
        gone = {rows.keys.pair(row) for row in range(len(rows))}
        other.held = [held for held in self.held if (held.name, held.version) not in gone]
        return other

    @cached_property
    def held(self) -> list[Held]:
        """The versions that a cooldown holds, sorted by (sequence, name, version)."""
        return msgspec.json.decode(self._held, type=list[Held])

    @cached_property
    def outline(self) -> Outline:
        """The rules that decided the edition."""
        return decode_outline(self._outline)

    @property
    def pulled_at(self) -> datetime | None:
        """The instant of the pull that the edition shows: the oldest over all upstreams."""
        return pulled_at(self.outline)

    def encoded_reason(self, index: int) -> bytes:
        return self._slice("reason", index)

    def judged(self, index: int) -> Judged:
        return msgspec.json.decode(self.encoded_reason(index), type=Judged)

    def rule(self, key: bytes) -> str | None:
        """The rule that decided an entry (name, NUL, version); None if it is not known."""
        index = self.keys.find(*key.split(b"\0", 1))
        return None if index is None else self.judged(index).reason.rule

    def stored(self, index: int) -> bytes:
        """The stored bytes of upstream: the whole entry, or `_meta`; empty if there are none."""
        return self._slice("raw", index)

    def shared(self, index: int) -> int:
        """The column `raw_shared` of an entry; see `RECORD_COLUMNS`."""
        return int(self.table.columns["raw_shared"][index])

    def seen(self, index: int) -> bytes:
        """The values that the rules read of an entry, as JSON; empty if none were kept."""
        return self._slice("seen", index)

    def _slice(self, what: str, index: int) -> bytes:
        layer, row = self.table.locate(index)
        segment, offset, length = (
            int(layer.columns[f"{what}_{name}"][row]) for name in ("segment", "offset", "length")
        )
        return self.edition.stored(segment, offset, length) if length else b""

    def raw(self, name: bytes, version: bytes, *, deleted: bool) -> bytes | None:
        """An entry as upstream sent it, if the policy admits it, even if it is withheld.

        An entry that is deleted upstream is only returned with `deleted`.
        """
        index = self.keys.find(name, version)
        if index is None:
            return None
        shown = self.edition.keys.find(name, version)
        if shown is not None and self.edition.state(shown) == "deleted" and not deleted:
            return None
        return self.whole(index)

    def whole(self, index: int) -> bytes | None:
        """An entry as upstream sent it, composed of its stored parts; None if there is no copy."""
        stored, shared = self.stored(index), self.shared(index)
        if not stored or not shared:
            return stored or None
        shown = self.edition.keys.find(*self.keys[index].split(b"\0", 1))
        assert shown is not None, "a shared server.json is that of a live body"
        body = self.edition.body(shown)
        return b'{"server":%b,"_meta":%b}' % (body[SERVER_AT : SERVER_AT + shared], stored)


def pulled_at(outline: Outline) -> datetime | None:
    """The oldest of the instants at which the upstreams of an outline were pulled."""
    return min(outline.pulled.values(), default=None)
