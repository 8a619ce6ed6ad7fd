"""Why each entry that was known is in an edition or not, and upstream's own copy of it.

editions/ID/  known           name NUL version of every known entry, in byte order, end to end
              reasons         distinct reasons as JSON, end to end; entries share them
              policy.json     the rules by which it was decided, as `warehouse.curation` outlines
              held.json       `Held` entries, oldest first
              COLUMN.bin      the columns of RECORD_COLUMNS (`reason_end`: one per reason)

The segments hold the values that the rules saw, as JSON, and upstream's bytes: whole, or `_meta`
alone where the served body begins with the same server.json. Entries that policy excludes have no
copy of upstream's bytes here.
"""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy.typing as npt

from serve.files import Keys, map_array, map_file

if TYPE_CHECKING:
    from serve.edition import Edition

RECORD_COLUMNS: dict[str, str] = {
    "known_end": "<u8",
    "reason": "<u4",
    "reason_end": "<u8",
    "raw_segment": "<u4",
    "raw_offset": "<u8",
    "raw_length": "<u4",
    "raw_shared": "<u4",
    "seen_segment": "<u4",
    "seen_offset": "<u8",
    "seen_length": "<u4",
}
"""`raw_shared` counts the bytes of server.json that the served body has too; 0: `raw` is whole."""

SERVER_AT = len(b'{"server":')


class Treatment(msgspec.Struct, frozen=True):
    """What was done to an entry: `repaired`, `overlaid` or `withheld`; `rule` is the repair's or
    overlay's name, `detail` what it met or did."""

    kind: str
    rule: str
    detail: str


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an entry is in the feed or not: the rule that decided, and what was done to it.

    `state` is admitted, held, excluded, withheld, withdrawn or deleted; `unknown` are rules that
    could not tell, of those that were looked at. An entry that is held goes on at `held_until`;
    without that, when its age is known.
    """

    state: Literal["admitted", "held", "excluded", "withheld", "withdrawn", "deleted"]
    verdict: Literal["admit", "exclude", "hold"]
    rule: str
    reason: str
    unknown: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    held_until: datetime | None = None


class Judged(msgspec.Struct, frozen=True):
    """A reason as an edition keeps it: with one sign (t, f, ?) for each atom of its policy."""

    reason: Reason
    atoms: str


class Held(msgspec.Struct, frozen=True):
    """A version that a cooldown holds: since which edition, and until when (None: not known).

    `announced_at` is the instant of that edition; None: it is this very one.
    """

    name: str
    version: str
    sequence: int
    announced_at: datetime | None
    until: datetime | None


class Records:
    """The records of one edition."""

    def __init__(self, edition: "Edition") -> None:
        folder = edition.folder
        arrays = {name: map_array(folder, name, kind) for name, kind in RECORD_COLUMNS.items()}
        self.arrays: dict[str, npt.NDArray[Any]] = arrays  # element types: RECORD_COLUMNS
        self.keys = Keys(map_file(folder / "known"), arrays["known_end"])
        self._reasons = map_file(folder / "reasons")
        self._held = map_file(folder / "held.json")[:]
        self.encoded_outline = map_file(folder / "policy.json")[:]
        self.edition = edition
        self.others: Mapping[int, Judged] = {}

    def without(self, edition: "Edition", judged: Mapping[int, Judged]) -> "Records":
        """The same records for another view of their edition; entries of `judged` are blocked."""
        found = copy(self)
        found.edition = edition
        found.others = judged
        gone = {self.keys.pair(index) for index in judged}
        found.held = [held for held in self.held if (held.name, held.version) not in gone]
        return found

    @cached_property
    def held(self) -> list[Held]:
        """The versions that a cooldown holds, by (sequence, name, version)."""
        return msgspec.json.decode(self._held, type=list[Held])

    @cached_property
    def outline(self) -> Any:  # JSON as `warehouse.curation` makes it
        """The rules by which the edition was decided."""
        return msgspec.json.decode(self.encoded_outline)

    def encoded_reason(self, index: int) -> bytes:
        number, ends = int(self.arrays["reason"][index]), self.arrays["reason_end"]
        return self._reasons[int(ends[number - 1]) if number else 0 : int(ends[number])]

    def judged(self, index: int) -> Judged:
        if index in self.others:
            return self.others[index]
        return msgspec.json.decode(self.encoded_reason(index), type=Judged)

    def stored(self, index: int) -> bytes:
        """What the segments hold of upstream's copy: the whole, or `_meta`; empty if nothing."""
        return self._slice("raw", index)

    def seen(self, index: int) -> bytes:
        """JSON: the values that the rules read of an entry; empty if none were kept."""
        return self._slice("seen", index)

    def _slice(self, what: str, index: int) -> bytes:
        segment, offset, length = (
            int(self.arrays[f"{what}_{name}"][index]) for name in ("segment", "offset", "length")
        )
        return self.edition.slice(segment, offset, length) if length else b""

    def raw(self, name: bytes, version: bytes, *, deleted: bool) -> bytes | None:
        """An entry as upstream sent it, if the policy admits it; withheld ones too.

        What was deleted upstream only if `deleted` says so.
        """
        index = self.keys.find(name, version)
        if index is None or index in self.others:
            return None
        shown = self.edition.keys.find(name, version)
        if shown is not None and self.edition.state(shown) == "deleted" and not deleted:
            return None
        return self.whole(index)

    def whole(self, index: int) -> bytes | None:
        """An entry as upstream sent it, put together; None if there is no copy of it."""
        stored, shared = self.stored(index), int(self.arrays["raw_shared"][index])
        if not stored or not shared:
            return stored or None
        shown = self.edition.keys.find(*self.keys[index].split(b"\0", 1))
        assert shown is not None, "a shared server.json is that of a live body"
        body = self.edition.body(shown)
        return b'{"server":%b,"_meta":%b}' % (body[SERVER_AT : SERVER_AT + shared], stored)
