"""Tables of an edition: a base that editions share, and over it what differs from it.

A layer is a table in key order: strings (the first one is the key) and fixed columns. Rows of the
upper layer stand in the place of those of the base with the same key, or between them. Rows of the
whole table are numbered in key order; a lookup goes through at most one bisection of the upper one.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from serve.disk import REMEDY
from serve.edition.packed import Packed, PackedFile
from serve.edition.strings import Keys, Strings
from serve.errors import EditionBroken

Array = npt.NDArray[Any]  # element types are those of the table's specification
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TableSchema:
    """What a table is made of: strings, of which the first is the key, and columns by type."""

    strings: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Layer:
    """Rows in key order, in memory or mapped."""

    kind: TableSchema
    strings: Mapping[str, Strings]
    columns: Mapping[str, Array]

    @cached_property
    def keys(self) -> Keys:
        found = self.strings[self.kind.strings[0]]
        return Keys(found.data, found.ends, found.origin)

    def __len__(self) -> int:
        return len(self.keys)

    def packed(self) -> Packed:
        """What to write of it."""
        found: dict[str, Array | bytes] = dict(self.columns)
        for name, strings in self.strings.items():
            found |= {name: strings.run(0, len(strings)), f"{name}_end": strings.ends}
        return found

    def take(self, rows: Numbers) -> "Layer":
        """Some of its rows, in the order given."""
        return gathered(self, None, rows)


def read_layer(file: PackedFile, kind: TableSchema) -> Layer:
    """A layer mapped from its file. Raises EditionBroken."""
    found = Layer(
        kind,
        {name: file.strings(name, file.array(f"{name}_end", "<u8")) for name in kind.strings},
        {name: file.array(name, dtype) for name, dtype in kind.columns.items()},
    )
    lengths = {len(part) for part in found.strings.values()}
    if lengths | {len(column) for column in found.columns.values()} != {len(found)}:
        raise EditionBroken(f"{file.path} has columns of different lengths; {REMEDY}")
    return found


class TableBuilder:
    """A layer while rows are appended to it, in key order."""

    def __init__(self, kind: TableSchema) -> None:
        self._kind = kind
        self._data = {name: bytearray() for name in kind.strings}
        self._ends = {name: array("Q") for name in kind.strings}
        self._wide = {name for name, dtype in kind.columns.items() if dtype[0] == "V"}
        self._columns: dict[str, Any] = {  # bytes end to end, or numbers
            name: bytearray() if name in self._wide else array(_CODES[dtype])
            for name, dtype in kind.columns.items()
        }

    def __len__(self) -> int:
        return len(self._ends[self._kind.strings[0]])

    def add(self, strings: Sequence[bytes], **values: Any) -> None:  # as the columns are
        for name, value in zip(self._kind.strings, strings, strict=True):
            self._data[name] += value
            self._ends[name].append(len(self._data[name]))
        for name, value in values.items():
            if name in self._wide:
                self._columns[name] += value
            else:
                self._columns[name].append(value)

    def layer(self) -> Layer:
        """What was appended so far; nothing may be appended any more."""
        return Layer(
            self._kind,
            {
                name: Strings(bytes(data), np.frombuffer(self._ends[name], dtype="<u8"))
                for name, data in self._data.items()
            },
            {
                name: np.frombuffer(self._columns[name], dtype=dtype)
                for name, dtype in self._kind.columns.items()
            },
        )


_CODES = {"<u1": "B", "<u4": "I", "<u8": "Q", "<i8": "q"}


def empty(kind: TableSchema) -> Layer:
    return TableBuilder(kind).layer()


@dataclass(frozen=True)
class MergePositions:
    """Where the rows of an upper layer stand in a lower one: before row `at`, or in its place."""

    at: Numbers
    replaces: npt.NDArray[np.bool_]

    def packed(self) -> Packed:
        return {"seat": (self.at * 2 + self.replaces).astype("<u8")}

    @classmethod
    def read(cls, file: PackedFile) -> "MergePositions":
        found = file.array("seat", "<u8").astype(np.int64)
        return cls(found >> 1, (found & 1).astype(np.bool_))

    @classmethod
    def of(cls, upper: Layer, lower: Layer) -> "MergePositions":
        """Found by the keys."""
        at = np.zeros(len(upper), dtype=np.int64)
        replaces = np.zeros(len(upper), dtype=np.bool_)
        keys, start = lower.keys, 0
        if len(lower):
            for row in range(len(upper)):
                key = upper.keys[row]
                start = at[row] = keys.first(key, start)
                replaces[row] = start < len(keys) and keys[start] == key
        return cls(at, replaces)


def merged(lower: Layer, upper: Layer, seat: MergePositions) -> Layer:
    """Both as one layer in memory, what is in both from the upper one."""
    return gathered(lower, upper, order(len(lower), seat))


def order(count: int, seat: MergePositions) -> Numbers:
    """The rows of a lower layer of `count` and an upper one, numbered behind it, in key order."""
    kept = np.delete(np.arange(count), seat.at[seat.replaces])
    upper = np.arange(len(seat.at)) + count
    return np.insert(kept, np.searchsorted(kept, seat.at), upper)


def gathered(lower: Layer, upper: Layer | None, rows: Numbers) -> Layer:
    """Rows of one layer, and of another numbered behind it."""
    layers = [lower] if upper is None else [lower, upper]
    strings = {}
    for name in lower.kind.strings:
        parts = [layer.strings[name] for layer in layers]
        lengths = np.concatenate([np.diff(part.ends, prepend=np.uint64(0)) for part in parts])
        data = b"".join(_runs(parts, rows, len(lower)))
        strings[name] = Strings(data, np.cumsum(lengths[rows], dtype="<u8"))
    columns = {
        name: np.concatenate([layer.columns[name] for layer in layers])[rows]
        for name in lower.kind.columns
    }
    return Layer(lower.kind, strings, columns)


def _runs(parts: Sequence[Strings], rows: Numbers, split: int) -> list[bytes]:
    """The bytes of rows, cut only where they do not follow each other."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    starts = rows[np.concatenate(([0], breaks))].tolist()
    ends = (rows[np.concatenate((breaks - 1, [len(rows) - 1]))] + 1).tolist()
    found = []
    for start, end in zip(starts, ends, strict=True):
        if start < split < end:
            found += [parts[0].run(start, split), parts[1].run(0, end - split)]
        elif start < split:
            found.append(parts[0].run(start, end))
        else:
            found.append(parts[1].run(start - split, end - split))
    return found
