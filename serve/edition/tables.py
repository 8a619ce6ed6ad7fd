"""A base table with an upper layer over it, read as one table.

This is a two-level LSM table with merge on read: `serve.edition.layers` are its levels,
`serve.edition.bases` is its compaction.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

from serve.edition.layers import Array, Layer, MergePositions, Numbers, gathered, merged, order

_FEW = 64


class Table:
    """A base with an upper layer over it, read as one table; rows are numbered in key order."""

    def __init__(self, base: Layer, upper: Layer, positions: MergePositions) -> None:
        self.base, self.upper, self.positions = base, upper, positions
        inserted = ~positions.replaces
        # Per upper row, how many rows are inserted before it; the last value counts all.
        self._inserted = np.concatenate(([0], np.cumsum(inserted)))
        self._numbers = positions.at + self._inserted[:-1]
        # The same as lists: for one row at a time they are faster than numpy.
        self._sorted: list[int] = self._numbers.tolist()
        self._before: list[int] = self._inserted.tolist()
        self._replaced = positions.at[positions.replaces]
        self._insert_at = positions.at[inserted]
        self.count = len(base) + int(self._inserted[-1])
        self.keys = TableKeys(self)
        self.columns = {name: Column(self, name) for name in base.kind.columns}

    def locate(self, number: int) -> tuple[Layer, int]:
        """The layer of the row with a number, and the row's position in that layer."""
        place = bisect_left(self._sorted, number)
        if place < len(self._sorted) and self._sorted[place] == number:
            return self.upper, place
        return self.base, number - self._before[place]

    def string(self, name: str, number: int) -> bytes:
        layer, row = self.locate(number)
        return layer.strings[name][row]

    def number(self, base_row: int, upper_row: int) -> int:
        """The number of the first row of the table at or after both positions."""
        return base_row + self._before[upper_row]

    def in_base(self, low: int, high: int) -> int | None:
        """The base row with number `low`, if all rows from `low` to before `high` are base rows."""
        place = bisect_left(self._sorted, low)
        if place < len(self._sorted) and self._sorted[place] < high:
            return None
        return low - self._before[place]

    def split(self, number: int) -> tuple[int, int]:
        """The first rows of the base and of the upper layer with this number or a higher one."""
        place = bisect_left(self._sorted, number)
        return number - self._before[place], place

    def of_base(self, rows: Numbers) -> Numbers:
        """Numbers of base rows, in the order given; replaced rows are left out."""
        if len(self._replaced):
            place = np.searchsorted(self._replaced, rows)
            place[place == len(self._replaced)] = 0  # past the last one: compare with any other
            rows = rows[self._replaced[place] != rows]
        return rows + np.searchsorted(self._insert_at, rows, side="right")

    def of_upper(self, rows: Numbers) -> Numbers:
        """Numbers of upper rows."""
        numbers: Numbers = self._numbers[rows]
        return numbers

    def window(self, name: str, low: int, high: int) -> Array:
        """Values of a column from number `low` to before `high`."""
        first = bisect_left(self._sorted, low)
        last = bisect_left(self._sorted, high, first)
        base, upper = self.base.columns[name], self.upper.columns[name]
        if first == last:
            return base[low - self._before[first] : high - self._before[first]]
        if last - first > _FEW:
            return self.gather(name, np.arange(low, high))
        values = np.empty(high - low, dtype=base.dtype)
        at = low
        # Copy base rows as slices, and put each upper row between them.
        for row in range(first, last + 1):
            number = self._sorted[row] if row < last else high
            shift = self._before[row]
            values[at - low : number - low] = base[at - shift : number - shift]
            if row < last:
                values[number - low] = upper[row]
            at = number + 1
        return values

    def gather(self, name: str, numbers: Numbers) -> Array:
        """Values of a column for some numbers, in the order given."""
        base, upper = self.base.columns[name], self.upper.columns[name]
        if not len(numbers) or not self._sorted:
            return base[numbers]
        low = int(numbers[0])
        row = self.in_base(low, int(numbers[-1]) + 1)
        if row is not None and bool(np.all(numbers[1:] > numbers[:-1])):
            return base[numbers + (row - low)]
        place = np.searchsorted(self._numbers, numbers)
        ours = self._numbers[np.minimum(place, len(self._sorted) - 1)] == numbers
        values = np.empty(len(numbers), dtype=base.dtype)
        values[ours] = upper[place[ours]]
        values[~ours] = base[(numbers - self._inserted[place])[~ours]]
        return values

    def with_overlay(self, top: Layer) -> "Table":
        """The table with the rows of `top` over it."""
        if not len(top):
            return self
        rows = order(len(self.upper), MergePositions.of(top, self.upper))
        positions = MergePositions.of(top, self.base)
        return Table(
            self.base,
            gathered(self.upper, top, rows),
            MergePositions(
                np.concatenate((self.positions.at, positions.at))[rows],
                np.concatenate((self.positions.replaces, positions.replaces))[rows],
            ),
        )

    def flat(self) -> Layer:
        """The whole table merged into one layer, in memory."""
        return merged(self.base, self.upper, self.positions)

    def rebased_on(self, base: Layer, known: Layer) -> "Table":
        """The same table over a newer base: the present base merged with the rows `known`."""
        positions = MergePositions.of(known, self.upper)
        mine, theirs = positions.at[positions.replaces], np.flatnonzero(positions.replaces)
        for name, column in self.upper.columns.items():
            same = column[mine] == known.columns[name][theirs]
            mine, theirs = mine[same], theirs[same]
        # Upper rows equal to those in the new base are not needed any more.
        rows = np.delete(np.arange(len(self.upper)), mine)
        upper = self.upper.take(rows)
        return Table(base, upper, MergePositions.of(upper, base))


class TableKeys:
    """The keys of a table, with the methods of `Keys`."""

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
        """The number of the first key that is not smaller than `key`."""
        table = self._table
        return table.number(table.base.keys.first(key), table.upper.keys.first(key))

    def after(self, key: bytes) -> int:
        """The number of the first key after `key`; one without NUL means all keys of that name."""
        table = self._table
        return table.number(table.base.keys.after(key), table.upper.keys.after(key))

    def find(self, name: bytes, version: bytes) -> int | None:
        key = b"%b\0%b" % (name, version)
        number = self.first(key)
        return number if number < len(self) and self[number] == key else None

    def of(self, name: bytes) -> range:
        """Numbers of all versions of a server."""
        return range(self.first(name + b"\0"), self.after(name))


class Column:
    """A column of a table, merged on read."""

    def __init__(self, table: Table, name: str) -> None:
        self._table, self._name = table, name

    def __getitem__(self, number: int) -> Any:  # one value of the column's type
        layer, row = self._table.locate(number)
        return layer.columns[self._name][row]

    def window(self, low: int, high: int) -> Array:
        """Values of the rows from number `low` to before `high`."""
        return self._table.window(self._name, low, high)

    def of(self, numbers: Sequence[int] | Numbers) -> Array:
        """Values of some rows, in the order given."""
        return self._table.gather(self._name, np.asarray(numbers, dtype=np.int64))

    def where(self, value: int) -> Numbers:
        """Numbers of the rows with a given value, rising."""
        table = self._table
        base = np.flatnonzero(table.base.columns[self._name] == value)
        upper = np.flatnonzero(table.upper.columns[self._name] == value)
        return np.sort(np.concatenate((table.of_base(base), table.of_upper(upper))))
