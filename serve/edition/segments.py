"""Segments: append-only files with the bodies and other bytes of editions, which share them."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from serve.edition.edition import Edition
from serve.edition.layers import Array, Layer

MAX_OWN = 24
"""The maximum number of segments of an edition, those of its base not counted."""
_MAX_SEGMENTS = 32
_KEPT_SEGMENTS = 8
_PLACES = {"entries": ("",), "records": ("raw_", "seen_", "reason_")}


@dataclass(frozen=True)
class Place:
    """A range of bytes in a segment; `segment` is its number in the manifest."""

    segment: int
    offset: int
    length: int


class SegmentWriter:
    """Writes the segment of a new edition or base; `number` is its number there.

    Bodies are written one after the other, each followed by a comma, so that neighbors can be sent
    as one piece of a JSON list. Other bytes wait in the file `aside` until `settle`.
    """

    def __init__(self, file: BinaryIO, number: int, aside: BinaryIO | None = None) -> None:
        self._file = file
        self._number = number
        self._aside = aside
        self._written = 0

    def add(self, body: bytes) -> Place:
        """Append a body."""
        place = Place(self._number, self._written, len(body))
        self._written += self._file.write(body) + self._file.write(b",")
        return place

    def put_aside(self, data: bytes) -> Place:
        """Keep bytes to append later; the place is not final until `settle` has corrected it."""
        assert self._aside is not None
        place = Place(self._number, self._aside.tell(), len(data))
        self._aside.write(data)
        return place

    def settle(self, records: Layer) -> Layer:
        """Append the bytes that were put aside; return the rows with their final places."""
        assert self._aside is not None
        columns = dict(records.columns)
        for prefix in _PLACES["records"]:
            here = columns[f"{prefix}segment"] == self._number
            here &= columns[f"{prefix}length"] > 0
            # `here` is 0 or 1: only offsets into this segment are shifted.
            columns[f"{prefix}offset"] = columns[f"{prefix}offset"] + here * np.uint64(
                self._written
            )
        self._written += self._aside.tell()
        self._aside.seek(0)
        shutil.copyfileobj(self._aside, self._file, 1 << 20)
        return Layer(records.kind, records.strings, columns)

    def finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def move(
        self, layers: dict[str, Layer], source: Edition, numbers: set[int]
    ) -> dict[str, Layer]:
        """Copy bytes in some segments of an edition to this one; return rows with new places."""
        moved: dict[tuple[int, int, int], Place] = {}
        written = {}
        for name, layer in layers.items():
            columns = {key: np.array(column) for key, column in layer.columns.items()}
            for prefix in _PLACES[name]:
                parts = [columns[f"{prefix}{part}"] for part in ("segment", "offset", "length")]
                hit = np.isin(parts[0], list(numbers)) & (parts[2] > 0)
                for row in np.flatnonzero(hit).tolist():
                    at = int(parts[0][row]), int(parts[1][row]), int(parts[2][row])
                    if at not in moved:  # rows may share bytes; copy them once
                        moved[at] = self.add(source.stored(*at))
                    parts[0][row], parts[1][row] = moved[at].segment, moved[at].offset
            written[name] = Layer(layer.kind, layer.strings, columns)
        return written


def used_bytes(layers: Mapping[str, Layer], count: int) -> Array:
    """How many bytes of each segment the rows use."""
    sizes = np.zeros(count)
    for name, layer in layers.items():
        for prefix in _PLACES[name]:
            lengths = layer.columns[f"{prefix}length"].astype(np.float64)
            segments = layer.columns[f"{prefix}segment"]
            sizes += np.bincount(segments, weights=lengths, minlength=count)
    return sizes


def renumbered(layers: Mapping[str, Layer], numbers: Mapping[int, int]) -> dict[str, Layer]:
    """The same rows with segments renumbered; rows use no bytes of segments not in `numbers`."""
    table = np.zeros(max(numbers, default=0) + 1, dtype="<u4")
    for old, new in numbers.items():
        table[old] = new
    result = {}
    for name, layer in layers.items():
        columns = dict(layer.columns)
        for prefix in _PLACES[name]:
            segments = columns[f"{prefix}segment"]
            # Rows of length 0 may name a segment that is gone; any number does for them.
            columns[f"{prefix}segment"] = table[np.minimum(segments, len(table) - 1)]
        result[name] = Layer(layer.kind, layer.strings, columns)
    return result


def segments_to_compact(sizes: Array) -> set[int]:
    """The segments to copy into a new one if there are too many: all but the largest few.

    Each segment costs every server process a mapping and an open file.
    """
    used = np.flatnonzero(sizes)
    if len(used) < _MAX_SEGMENTS:
        return set()
    order = used[np.argsort(sizes[used])]
    return set(order[: len(used) - _KEPT_SEGMENTS].tolist())


def unlink_empty(path: Path) -> bool:
    """Remove a segment if it is empty; returns whether it was."""
    if path.stat().st_size:
        return False
    path.unlink()
    return True
