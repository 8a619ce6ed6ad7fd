"""Why each entry that was known is in an edition or not, and upstream's own copy of it.

The segments hold the reasons as JSON (entries of one edition share them), the values that the
rules saw, as JSON too, and upstream's bytes: whole, or `_meta` alone where the served body begins
with the same server.json. Entries that policy excludes have no copy of upstream's bytes here.
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
"""`raw_shared` counts the bytes of server.json that the served body has too; 0: `raw` is whole."""
RECORDS = TableSchema(("known",), RECORD_COLUMNS)
"""Of every entry that is known, by its key."""

SERVER_AT = len(b'{"server":')


class Shown(Protocol):
    """The entries that an edition serves, as far as their records need them."""

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
        """The same records in another table."""
        found = copy(self)
        found.edition, found.table, found.keys = edition, table, table.keys
        return found

    def with_overlay(self, edition: Shown, rows: Layer) -> "Records":
        """The same records for another view of their edition, with some replaced: of blocked
        entries, which are not held any more."""
        found = self.replacing_tables(edition, self.table.with_overlay(rows))
        gone = {rows.keys.pair(row) for row in range(len(rows))}
        found.held = [held for held in self.held if (held.name, held.version) not in gone]
        return found

    @cached_property
    def held(self) -> list[Held]:
        """The versions that a cooldown holds, by (sequence, name, version)."""
        return msgspec.json.decode(self._held, type=list[Held])

    @cached_property
    def outline(self) -> Outline:
        """The rules by which the edition was decided."""
        return decode_outline(self._outline)

    @property
    def pulled_at(self) -> datetime | None:
        """The pull that the edition shows: of the upstream that was pulled longest ago."""
        return pulled_at(self.outline)

    def encoded_reason(self, index: int) -> bytes:
        return self._slice("reason", index)

    def judged(self, index: int) -> Judged:
        return msgspec.json.decode(self.encoded_reason(index), type=Judged)

    def stored(self, index: int) -> bytes:
        """What the segments hold of upstream's copy: the whole, or `_meta`; empty if nothing."""
        return self._slice("raw", index)

    def shared(self, index: int) -> int:
        """How much of the served body is in the copy too, as in `RECORD_COLUMNS`."""
        return int(self.table.columns["raw_shared"][index])

    def seen(self, index: int) -> bytes:
        """JSON: the values that the rules read of an entry; empty if none were kept."""
        return self._slice("seen", index)

    def _slice(self, what: str, index: int) -> bytes:
        layer, row = self.table.locate(index)
        segment, offset, length = (
            int(layer.columns[f"{what}_{name}"][row]) for name in ("segment", "offset", "length")
        )
        return self.edition.stored(segment, offset, length) if length else b""

    def raw(self, name: bytes, version: bytes, *, deleted: bool) -> bytes | None:
        """An entry as upstream sent it, if the policy admits it; withheld ones too.

        What was deleted upstream only if `deleted` says so.
        """
        index = self.keys.find(name, version)
        if index is None:
            return None
        shown = self.edition.keys.find(name, version)
        if shown is not None and self.edition.state(shown) == "deleted" and not deleted:
            return None
        return self.whole(index)

    def whole(self, index: int) -> bytes | None:
        """An entry as upstream sent it, put together; None if there is no copy of it."""
        stored, shared = self.stored(index), self.shared(index)
        if not stored or not shared:
            return stored or None
        shown = self.edition.keys.find(*self.keys[index].split(b"\0", 1))
        assert shown is not None, "a shared server.json is that of a live body"
        body = self.edition.body(shown)
        return b'{"server":%b,"_meta":%b}' % (body[SERVER_AT : SERVER_AT + shared], stored)


def pulled_at(outline: Outline) -> datetime | None:
    """When the upstream that was pulled longest ago was pulled, as an outline says."""
    return min(outline.pulled.values(), default=None)
