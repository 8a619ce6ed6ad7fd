"""Layers of a table: a shared base, and an upper layer with the rows that differ from it.

They are the levels of a two-level LSM table. A layer holds rows in key order: strings (the first
one is the key) and fixed-width columns. A row of the upper layer replaces the row of the base with
the same key, or is inserted. The rows of the merged table are numbered in key order; a lookup costs
at most one binary search in the upper layer.
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

Array = npt.NDArray[Any]  # element types are those of the table's schema
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TableSchema:
    """The schema of a table: names of strings (the first one is the key), and columns by type."""

    strings: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Layer:
    """Rows in key order, in memory or mapped from a file."""

    kind: TableSchema
    strings: Mapping[str, Strings]
    columns: Mapping[str, Array]

    @cached_property
    def keys(self) -> Keys:
        strings = self.strings[self.kind.strings[0]]
        return Keys(strings.data, strings.ends, strings.origin)

    def __len__(self) -> int:
        return len(self.keys)

    def packed(self) -> Packed:
        """The named arrays to write to a packed file."""
        values: dict[str, Array | bytes] = dict(self.columns)
        for name, strings in self.strings.items():
            values |= {name: strings.run(0, len(strings)), f"{name}_end": strings.ends}
        return values

    def take(self, rows: Numbers) -> "Layer":
        """A layer of some of its rows, in the order given."""
        return gathered(self, None, rows)


def read_layer(file: PackedFile, kind: TableSchema) -> Layer:
    """Map a layer from its file. Raises EditionBroken."""
    layer = Layer(
        kind,
        {name: file.strings(name, file.array(f"{name}_end", "<u8")) for name in kind.strings},
        {name: file.array(name, dtype) for name, dtype in kind.columns.items()},
    )
    lengths = {len(part) for part in layer.strings.values()}
    if lengths | {len(column) for column in layer.columns.values()} != {len(layer)}:
        raise EditionBroken(f"{file.path} has columns of different lengths; {REMEDY}")
    return layer


class TableBuilder:
    """Collects the rows of a layer; they must be appended in key order."""

    def __init__(self, kind: TableSchema) -> None:
        self._kind = kind
        self._data = {name: bytearray() for name in kind.strings}
        self._ends = {name: array("Q") for name in kind.strings}
        self._wide = {name for name, dtype in kind.columns.items() if dtype[0] == "V"}
        self._columns: dict[str, Any] = {  # concatenated bytes, or numbers
            name: bytearray() if name in self._wide else array(_CODES[dtype])
            for name, dtype in kind.columns.items()
        }

    def __len__(self) -> int:
        return len(self._ends[self._kind.strings[0]])

    def add(self, strings: Sequence[bytes], **values: Any) -> None:  # types as the columns have
        for name, value in zip(self._kind.strings, strings, strict=True):
            self._data[name] += value
            self._ends[name].append(len(self._data[name]))
        for name, value in values.items():
            if name in self._wide:
                self._columns[name] += value
            else:
                self._columns[name].append(value)

    def layer(self) -> Layer:
        """The appended rows as a layer; append nothing after this call."""
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


_CODES = {"<u1": "B", "<u4": "I", "<u8": "Q", "<i8": "q"}  # numpy type: code of array.array


def empty(kind: TableSchema) -> Layer:
    return TableBuilder(kind).layer()


@dataclass(frozen=True)
class MergePositions:
    """Where each upper row belongs in the lower layer: before its row `at`, or in place of it."""

    at: Numbers
    replaces: npt.NDArray[np.bool_]

    def packed(self) -> Packed:
        # One number per row: the lowest bit says whether the row replaces.
        return {"positions": (self.at * 2 + self.replaces).astype("<u8")}

    @classmethod
    def read(cls, file: PackedFile) -> "MergePositions":
        positions = file.array("positions", "<u8").astype(np.int64)
        return cls(positions >> 1, (positions & 1).astype(np.bool_))

    @classmethod
    def of(cls, upper: Layer, lower: Layer) -> "MergePositions":
        """Compute the positions by comparing keys."""
        at = np.zeros(len(upper), dtype=np.int64)
        replaces = np.zeros(len(upper), dtype=np.bool_)
        keys, start = lower.keys, 0
        if len(lower):
            for row in range(len(upper)):
                key = upper.keys[row]
                start = at[row] = keys.first(key, start)  # keys rise: search from the last hit
                replaces[row] = start < len(keys) and keys[start] == key
        return cls(at, replaces)


def merged(lower: Layer, upper: Layer, positions: MergePositions) -> Layer:
    """Merge the two layers in memory; rows of the upper one win."""
    return gathered(lower, upper, order(len(lower), positions))


def order(count: int, positions: MergePositions) -> Numbers:
    """Rows of a lower layer (from 0) and an upper layer (numbered from `count`), in key order."""
    kept = np.delete(np.arange(count), positions.at[positions.replaces])
    upper = np.arange(len(positions.at)) + count
    # `at` counts all lower rows; searchsorted turns it into a position among the kept ones.
    return np.insert(kept, np.searchsorted(kept, positions.at), upper)


def gathered(lower: Layer, upper: Layer | None, rows: Numbers) -> Layer:
    """Copy rows in the order given; rows of `upper` are numbered from `len(lower)` on."""
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
    """The bytes of rows; consecutive rows are one piece. `split` is the first upper row."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    starts = rows[np.concatenate(([0], breaks))].tolist()
    ends = (rows[np.concatenate((breaks - 1, [len(rows) - 1]))] + 1).tolist()
    runs = []
    for start, end in zip(starts, ends, strict=True):
        if start < split < end:
            runs += [parts[0].run(start, split), parts[1].run(0, end - split)]
        elif start < split:
            runs.append(parts[0].run(start, end))
        else:
            runs.append(parts[1].run(start - split, end - split))
    return runs
