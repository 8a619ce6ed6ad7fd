"""Tables of an edition: a base that editions share, and over it what differs from it.

A layer is a table in key order: strings (the first one is the key) and fixed columns. Rows of the
upper layer stand in the place of those of the base with the same key, or between them. Rows of the
whole table are numbered in key order; a lookup goes through at most one bisection of the upper one.
"""

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from serve.errors import EditionBroken
from serve.files import REMEDY, Keys, Packed, PackedFile, Strings

Array = npt.NDArray[Any]  # element types are those of the table's specification
Numbers = npt.NDArray[np.int64]


_FEW = 64


@dataclass(frozen=True)
class Kind:
    """What a table is made of: strings, of which the first is the key, and columns by type."""

    strings: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Layer:
    """Rows in key order, in memory or mapped."""

    kind: Kind
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
        return _gathered(self, None, rows)


def read_layer(file: PackedFile, kind: Kind) -> Layer:
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


class Growing:
    """A layer while rows are appended to it, in key order."""

    def __init__(self, kind: Kind) -> None:
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


def empty(kind: Kind) -> Layer:
    return Growing(kind).layer()


@dataclass(frozen=True)
class Seat:
    """Where the rows of an upper layer stand in a lower one: before row `at`, or in its place."""

    at: Numbers
    replaces: npt.NDArray[np.bool_]

    def packed(self) -> Packed:
        return {"seat": (self.at * 2 + self.replaces).astype("<u8")}

    @classmethod
    def read(cls, file: PackedFile) -> "Seat":
        found = file.array("seat", "<u8").astype(np.int64)
        return cls(found >> 1, (found & 1).astype(np.bool_))

    @classmethod
    def of(cls, upper: Layer, lower: Layer) -> "Seat":
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


class Table:
    """A base with an upper layer over it, read as one."""

    def __init__(self, base: Layer, upper: Layer, seat: Seat) -> None:
        self.base, self.upper, self.seat = base, upper, seat
        inserted = ~seat.replaces
        self._inserted = np.concatenate(([0], np.cumsum(inserted)))  # before each upper row
        self._numbers = seat.at + self._inserted[:-1]
        self._sorted: list[int] = self._numbers.tolist()
        self._before: list[int] = self._inserted.tolist()
        self._replaced = seat.at[seat.replaces]
        self._insert_at = seat.at[inserted]
        self.count = len(base) + int(self._inserted[-1])
        self.keys = TableKeys(self)
        self.columns = {name: Column(self, name) for name in base.kind.columns}

    def locate(self, number: int) -> tuple[Layer, int]:
        """The layer and the row in it that a number stands for."""
        place = bisect_left(self._sorted, number)
        if place < len(self._sorted) and self._sorted[place] == number:
            return self.upper, place
        return self.base, number - self._before[place]

    def string(self, name: str, number: int) -> bytes:
        layer, row = self.locate(number)
        return layer.strings[name][row]

    def number(self, base_row: int, upper_row: int) -> int:
        """The number at which both layers go on."""
        return base_row + self._before[upper_row]

    def in_base(self, low: int, high: int) -> int | None:
        """The row of the base at number `low`, if all numbers to before `high` are of the base."""
        place = bisect_left(self._sorted, low)
        if place < len(self._sorted) and self._sorted[place] < high:
            return None
        return low - self._before[place]

    def split(self, number: int) -> tuple[int, int]:
        """The first rows of the base and of the upper layer that are at a number or behind it."""
        place = bisect_left(self._sorted, number)
        return number - self._before[place], place

    def of_base(self, rows: Numbers) -> Numbers:
        """Numbers of rows of the base, rising as they do; of those that are not replaced."""
        if len(self._replaced):
            place = np.searchsorted(self._replaced, rows)
            place[place == len(self._replaced)] = 0
            rows = rows[self._replaced[place] != rows]
        return rows + np.searchsorted(self._insert_at, rows, side="right")

    def of_upper(self, rows: Numbers) -> Numbers:
        """Numbers of rows of the upper layer."""
        found: Numbers = self._numbers[rows]
        return found

    def window(self, name: str, low: int, high: int) -> Array:
        """Values of a column from one number to before another."""
        first = bisect_left(self._sorted, low)
        last = bisect_left(self._sorted, high, first)
        base, upper = self.base.columns[name], self.upper.columns[name]
        if first == last:
            return base[low - self._before[first] : high - self._before[first]]
        if last - first > _FEW:
            return self.gather(name, np.arange(low, high))
        found = np.empty(high - low, dtype=base.dtype)
        at = low
        for row in range(first, last + 1):
            number = self._sorted[row] if row < last else high
            shift = self._before[row]
            found[at - low : number - low] = base[at - shift : number - shift]
            if row < last:
                found[number - low] = upper[row]
            at = number + 1
        return found

    def gather(self, name: str, numbers: Numbers) -> Array:
        """Values of a column."""
        base, upper = self.base.columns[name], self.upper.columns[name]
        if not len(numbers) or not self._sorted:
            return base[numbers]
        low = int(numbers[0])
        row = self.in_base(low, int(numbers[-1]) + 1)
        if row is not None and bool(np.all(numbers[1:] > numbers[:-1])):
            return base[numbers + (row - low)]
        place = np.searchsorted(self._numbers, numbers)
        ours = self._numbers[np.minimum(place, len(self._sorted) - 1)] == numbers
        found = np.empty(len(numbers), dtype=base.dtype)
        found[ours] = upper[place[ours]]
        found[~ours] = base[(numbers - self._inserted[place])[~ours]]
        return found

    def under(self, top: Layer) -> "Table":
        """The table with more rows over it."""
        if not len(top):
            return self
        rows = _order(len(self.upper), Seat.of(top, self.upper))
        seat = Seat.of(top, self.base)
        return Table(
            self.base,
            _gathered(self.upper, top, rows),
            Seat(
                np.concatenate((self.seat.at, seat.at))[rows],
                np.concatenate((self.seat.replaces, seat.replaces))[rows],
            ),
        )

    def flat(self) -> Layer:
        """All of it as one layer, in memory."""
        return merged(self.base, self.upper, self.seat)

    def over(self, base: Layer, known: Layer) -> "Table":
        """The same table over another base, which is the one it has with the rows of `known`."""
        seat = Seat.of(known, self.upper)
        mine, theirs = seat.at[seat.replaces], np.flatnonzero(seat.replaces)
        for name, column in self.upper.columns.items():
            same = column[mine] == known.columns[name][theirs]
            mine, theirs = mine[same], theirs[same]
        rows = np.delete(np.arange(len(self.upper)), mine)
        upper = self.upper.take(rows)
        return Table(base, upper, Seat.of(upper, base))


class TableKeys:
    """The keys of a table, as `Keys` reads those of one layer."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return self._table.count

    def __getitem__(self, number: int) -> bytes:
        layer, row = self._table.locate(number)
        return layer.keys[row]

    def pair(self, number: int) -> tuple[str, str]:
        """Name and version."""
        layer, row = self._table.locate(number)
        return layer.keys.pair(row)

    def first(self, key: bytes) -> int:
        """The number of the first key that is not smaller."""
        table = self._table
        return table.number(table.base.keys.first(key), table.upper.keys.first(key))

    def after(self, key: bytes) -> int:
        """The number of the first one behind a key; a key without NUL stands for a name."""
        table = self._table
        return table.number(table.base.keys.after(key), table.upper.keys.after(key))

    def find(self, name: bytes, version: bytes) -> int | None:
        key = b"%b\0%b" % (name, version)
        number = self.first(key)
        return number if number < len(self) and self[number] == key else None

    def of(self, name: bytes) -> range:
        """All versions of a server, by number."""
        return range(self.first(name + b"\0"), self.after(name))


class Column:
    """A column of a table."""

    def __init__(self, table: Table, name: str) -> None:
        self._table, self._name = table, name

    def __getitem__(self, number: int) -> Any:  # one value, of the column's type
        layer, row = self._table.locate(number)
        return layer.columns[self._name][row]

    def window(self, low: int, high: int) -> Array:
        """Values of the rows from one number to before another."""
        return self._table.window(self._name, low, high)

    def of(self, numbers: Sequence[int] | Numbers) -> Array:
        """Values of some rows."""
        return self._table.gather(self._name, np.asarray(numbers, dtype=np.int64))

    def where(self, value: int) -> Numbers:
        """Numbers of the rows that have a value, rising."""
        table = self._table
        base = np.flatnonzero(table.base.columns[self._name] == value)
        upper = np.flatnonzero(table.upper.columns[self._name] == value)
        return np.sort(np.concatenate((table.of_base(base), table.of_upper(upper))))


def merged(lower: Layer, upper: Layer, seat: Seat) -> Layer:
    """Both as one layer in memory, what is in both from the upper one."""
    return _gathered(lower, upper, _order(len(lower), seat))


def _order(count: int, seat: Seat) -> Numbers:
    """The rows of a lower layer of `count` and an upper one, numbered behind it, in key order."""
    kept = np.delete(np.arange(count), seat.at[seat.replaces])
    upper = np.arange(len(seat.at)) + count
    return np.insert(kept, np.searchsorted(kept, seat.at), upper)


def _gathered(lower: Layer, upper: Layer | None, rows: Numbers) -> Layer:
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
