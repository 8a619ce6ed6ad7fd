"""Where bodies and upstream's copies lie: append-only segments that editions share."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from serve.edition import Edition

_MAX_SEGMENTS = 32
_KEPT_SEGMENTS = 8


@dataclass(frozen=True)
class Place:
    """Bytes in a segment, by the segment's name."""

    segment: str
    offset: int
    length: int


class SegmentWriter:
    """The segment of an edition that is being built, and what it keeps of earlier ones."""

    def __init__(self, file: BinaryIO, name: str, previous: Edition | None) -> None:
        self._file = file
        self._name = name
        self._previous = previous
        self._folded = _to_fold(previous) if previous else set()
        self._written = 0

    def add(self, data: bytes) -> Place:
        """Append bytes."""
        place = Place(self._name, self._written, len(data))
        self._written += self._file.write(data)
        return place

    def keep(self, segment: int, offset: int, length: int) -> Place:
        """Use bytes of the previous edition again, copied only if their segment is given up."""
        assert self._previous is not None
        if segment in self._folded:
            return self.add(self._previous.slice(segment, offset, length))
        return Place(self._previous.manifest.segments[segment], offset, length)

    def finish(self, places: list[Place], folder: Path) -> dict[str, int]:
        """Sync; number the segments that are used. One that nobody uses is removed."""
        self._file.flush()
        os.fsync(self._file.fileno())
        met = {place.segment for place in places}
        earlier = self._previous.manifest.segments if self._previous else ()
        used = [name for name in (*earlier, self._name) if name in met]
        if self._name not in used:
            (folder / self._name).unlink()
        return {name: number for number, name in enumerate(used)}


def _to_fold(previous: Edition) -> set[int]:
    """Segments whose bytes move to the new one: all but the largest, when there are too many.

    Every segment costs each server process a mapping and an open file.
    """
    count = len(previous.manifest.segments)
    if count < _MAX_SEGMENTS:
        return set()
    raw = previous.records.arrays
    sizes = np.zeros(count)
    for segment, length in (
        (previous.arrays["segment"], previous.arrays["length"]),
        (raw["raw_segment"], raw["raw_length"]),
        (raw["seen_segment"], raw["seen_length"]),
    ):
        sizes += np.bincount(segment, weights=length.astype(np.float64), minlength=count)
    return {int(number) for number in np.argsort(sizes)[: count - _KEPT_SEGMENTS]}
