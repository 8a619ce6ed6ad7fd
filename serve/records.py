"""Why each entry that was known is in an edition or not, and upstream's own copy of it.

editions/ID/  known           name NUL version of every known entry, in byte order, end to end
              reasons         distinct reasons as JSON, end to end; entries share them
              COLUMN.bin      the columns of RECORD_COLUMNS (`reason_end`: one per reason)

Upstream's bytes lie in the segments: whole, or `_meta` alone where the served body begins with the
same server.json. Entries that policy excludes have none here.
"""

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
}
"""`raw_shared` counts the bytes of server.json that the served body has too; 0: `raw` is whole."""

SERVER_AT = len(b'{"server":')


class Treatment(msgspec.Struct, frozen=True):
    """A repair, or why an entry is withheld; `rule` is its name, `detail` what it met."""

    kind: str
    rule: str
    detail: str


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an entry is in the feed or not: the rule that decided, and what was done to it.

    `state` is admitted, excluded, withheld, withdrawn or deleted; `unknown` are rules that came
    before and could not tell.
    """

    state: Literal["admitted", "excluded", "withheld", "withdrawn", "deleted"]
    verdict: Literal["admit", "exclude"]
    rule: str
    reason: str
    unknown: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()


class Records:
    """The records of one edition."""

    def __init__(self, edition: "Edition") -> None:
        folder = edition.folder
        arrays = {name: map_array(folder, name, kind) for name, kind in RECORD_COLUMNS.items()}
        self.arrays: dict[str, npt.NDArray[Any]] = arrays  # element types: RECORD_COLUMNS
        self.keys = Keys(map_file(folder / "known"), arrays["known_end"])
        self._reasons = map_file(folder / "reasons")
        self._edition = edition

    def encoded_reason(self, index: int) -> bytes:
        number, ends = int(self.arrays["reason"][index]), self.arrays["reason_end"]
        return self._reasons[int(ends[number - 1]) if number else 0 : int(ends[number])]

    def reason(self, index: int) -> Reason:
        return msgspec.json.decode(self.encoded_reason(index), type=Reason)

    def stored(self, index: int) -> bytes:
        """What the segments hold of upstream's copy: the whole, or `_meta`; empty if nothing."""
        segment, offset, length = (
            int(self.arrays[f"raw_{name}"][index]) for name in ("segment", "offset", "length")
        )
        return self._edition.slice(segment, offset, length) if length else b""

    def raw(self, name: bytes, version: bytes, *, deleted: bool) -> bytes | None:
        """An entry as upstream sent it, if the policy admits it; withheld ones too.

        What was deleted upstream only if `deleted` says so.
        """
        index = self.keys.find(name, version)
        stored = self.stored(index) if index is not None else b""
        if index is None or not stored:
            return None
        shown = self._edition.keys.find(name, version)
        if shown is not None and self._edition.state(shown) == "deleted" and not deleted:
            return None
        shared = int(self.arrays["raw_shared"][index])
        if not shared:
            return stored
        assert shown is not None, "a shared server.json is that of a live body"
        body = self._edition.body(shown)
        return b'{"server":%b,"_meta":%b}' % (body[SERVER_AT : SERVER_AT + shared], stored)
