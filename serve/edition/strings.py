"""Strings end to end in one file, found by number; keys are strings in byte order."""

import bisect
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from serve.disk import Mapped


class Strings:
    """Strings end to end, from `origin` of the data on; `ends` are running totals of bytes."""

    def __init__(self, data: Mapped, ends: npt.NDArray[Any], origin: int = 0) -> None:
        self.data, self.ends, self.origin = data, ends, origin
        # numpy does not tell the type checker that its arrays are buffers.
        self._ends: memoryview[int] = memoryview(ends)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        ends, origin = self._ends, self.origin
        return self.data[origin + (ends[index - 1] if index else 0) : origin + ends[index]]

    def view(self, index: int) -> memoryview:
        """A string where it lies."""
        start = self.origin + (self._ends[index - 1] if index else 0)
        return memoryview(self.data)[start : self.origin + self._ends[index]]

    def containing(self, needle: bytes, start: int) -> Iterator[int]:
        """Numbers of the strings from `start` on that contain a needle; none is made a string."""
        ends, origin = self._ends, self.origin
        if not len(ends):
            return
        position, last = origin + (ends[start - 1] if start else 0), origin + ends[-1]
        while (position := self.data.find(needle, position, last)) >= 0:
            found = bisect.bisect_right(ends, position - origin)
            if position + len(needle) <= origin + ends[found]:
                yield found
                position = origin + ends[found]
            else:
                position += 1

    def run(self, start: int, end: int) -> bytes:
        """The bytes of the strings from `start` to before `end`, end to end."""
        ends, origin = self._ends, self.origin
        low = ends[start - 1] if start else 0
        return self.data[origin + low : origin + (ends[end - 1] if end else 0)]


class Keys(Strings):
    """`name NUL version` of entries in byte order."""

    def pair(self, index: int) -> tuple[str, str]:
        """Name and version."""
        name, _, version = self[index].decode().partition("\0")
        return name, version

    def first(self, key: bytes, start: int = 0) -> int:
        """The number of the first key that is not smaller, from `start` on."""
        return bisect.bisect_left(range(len(self)), key, start, key=self.__getitem__)

    def after(self, key: bytes) -> int:
        """The number of the first one behind a key; a key without NUL stands for a name."""
        if b"\0" not in key:
            return self.first(key + b"\x01")
        return bisect.bisect_right(range(len(self)), key, key=self.__getitem__)
