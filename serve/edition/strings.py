"""Concatenated strings in one file, accessed by number; keys are strings in byte order."""

import bisect
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from serve.disk import Mapped


class Strings:
    """Concatenated strings in `data` from `origin` on; `ends` are running totals of lengths."""

    def __init__(self, data: Mapped, ends: npt.NDArray[Any], origin: int = 0) -> None:
        self.data, self.ends, self.origin = data, ends, origin
        # Items of a memoryview are Python ints, which bisect faster than numpy scalars.
        # The type checker does not know that numpy arrays are buffers.
        self._ends: memoryview[int] = memoryview(ends)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        ends, origin = self._ends, self.origin
        return self.data[origin + (ends[index - 1] if index else 0) : origin + ends[index]]

    def view(self, index: int) -> memoryview:
        """A view of a string, without a copy."""
        start = self.origin + (self._ends[index - 1] if index else 0)
        return memoryview(self.data)[start : self.origin + self._ends[index]]

    def containing(self, needle: bytes, start: int) -> Iterator[int]:
        """Numbers of the strings from `start` on that contain a needle; no string is copied."""
        ends, origin = self._ends, self.origin
        if not len(ends):
            return
        position, last = origin + (ends[start - 1] if start else 0), origin + ends[-1]
        while (position := self.data.find(needle, position, last)) >= 0:
            index = bisect.bisect_right(ends, position - origin)
            if position + len(needle) <= origin + ends[index]:
                yield index
                position = origin + ends[index]
            else:
                position += 1  # the hit crosses the end of a string

    def run(self, start: int, end: int) -> bytes:
        """The concatenated bytes of the strings from `start` up to, not including, `end`."""
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
        """The number of the first key from `start` on that is not smaller than `key`."""
        return bisect.bisect_left(range(len(self)), key, start, key=self.__getitem__)

    def after(self, key: bytes) -> int:
        """The number of the first key after `key`; one without NUL means all keys of that name."""
        if b"\0" not in key:  # \x01 sorts after the NUL before a version
            return self.first(key + b"\x01")
        return bisect.bisect_right(range(len(self)), key, key=self.__getitem__)
