"""Reads an edition from disk: immutable flat files, mapped into memory.

editions/ID/  manifest.json     identity, counts, sizes and hashes (format 4)
              entries, records  rows that differ from the base; packed (`serve.edition.layers`)
              policy.json       the rules that decided it, as a `warehouse.rules.outline`
              held.json         `serve.entry.reasons.Held` rows, oldest first
bases/ID/     manifest.json     the edition that it holds whole, its files and segments
              entries, records  tables; the strings of entries are
                  keys          name NUL version, in byte order
                  texts         name NUL in lower case (ASCII), for search
              indexes           see `serve.edition.indexes`
segments/ID   bodies that edition ID added, each followed by a comma, then other bytes; later
              editions share them

Nothing here parses an entry. `serve.build.writer` writes editions, `serve.feed.feed` makes them
live.
"""

import mmap
import zlib
from collections.abc import Iterator, Sequence
from copy import copy
from heapq import merge
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serve.disk import Mapped, map_file
from serve.edition.base import DELETED, ENTRIES, GONE, KINDS, LATEST, Base, open_base
from serve.edition.indexes import name_contains
from serve.edition.layers import Array, Layer, MergePositions, Numbers, read_layer
from serve.edition.manifests import Manifest, read_manifest
from serve.edition.packed import PackedFile
from serve.edition.records import RECORDS, Records
from serve.edition.selection import Selection
from serve.edition.tables import Column, Table, TableKeys

_BLOCK, _FIRST_BLOCK = 16_384, 128
_PLACE = ("segment", "offset", "length")
Place = tuple[int, int, int]
"""Segment, offset and length of bytes."""
_PAGE_BYTES = 8 << 20


def fitting(places: Sequence[Place]) -> int:
    """How many bodies fit on one page, at least one: clients refuse pages over 10 MiB."""
    total = 0
    for number, (_, _, length) in enumerate(places):
        total += length
        if number and total > _PAGE_BYTES:
            return number
    return len(places)


class Edition:
    """A complete edition, read only. Entries are numbered in (name, version) byte order."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        self.tag = self.manifest.edition
        self.folder = folder
        root = folder.parents[1]
        self.base = open_base(root / "bases" / self.manifest.base)
        file = PackedFile(folder / "entries")
        self.entries = Table(
            self.base.entries, read_layer(file, ENTRIES), MergePositions.read(file)
        )
        self.segments = _mapped(root, self.manifest)
        file = PackedFile(folder / "records")
        records = Table(self.base.records, read_layer(file, RECORDS), MergePositions.read(file))
        self.records = Records(self, records, folder)

    @property
    def keys(self) -> TableKeys:
        return self.entries.keys

    @property
    def count(self) -> int:
        return self.entries.count

    @property
    def arrays(self) -> dict[str, Column]:
        return self.entries.columns

    @property
    def masked(self) -> bool:
        """Whether blocks replace rows of it in memory."""
        return self.tag != self.manifest.edition

    @property
    def from_scratch(self) -> bool:
        """Whether it was built from scratch: entries of earlier editions may be missing."""
        return self.manifest.began == self.manifest.sequence

    def changed_rows(self) -> Numbers:
        """Numbers of the entries that are new or changed in this edition."""
        return self.arrays["sequence"].where(self.manifest.sequence)

    def replacing_tables(
        self, base: Base, entries: Table, records: Table, manifest: Manifest
    ) -> "Edition":
        """This edition read over another base; the contents are identical."""
        other = copy(self)
        other.base, other.entries, other.manifest = base, entries, manifest
        other.segments = _mapped(self.folder.parents[1], manifest)
        other.records = self.records.replacing_tables(other, records)
        return other

    def with_overlay(self, entries: Layer, records: Layer, data: bytes) -> "Edition":
        """This edition with some rows replaced; `data` holds their bytes and becomes one more
        segment, after the last one."""
        other = copy(self)
        other.tag = f"{self.tag}.{zlib.crc32(data):08x}"
        other.entries = self.entries.with_overlay(entries)
        other.segments = [*self.segments, data]
        other.records = self.records.with_overlay(other, records)
        return other

    def key(self, index: int) -> bytes:
        return self.keys[index]

    def body(self, index: int) -> bytes:
        layer, row = self.entries.locate(index)
        columns = layer.columns
        return self.stored(
            int(columns["segment"][row]), int(columns["offset"][row]), int(columns["length"][row])
        )

    def places(self, indexes: Sequence[int]) -> list[Place]:
        """The places of the bodies of some entries, in the order given."""
        arrays = self.arrays
        columns: Iterator[Array]
        # Consecutive numbers, as on most pages, are read as slices.
        if indexes and list(indexes) == list(range(indexes[0], indexes[0] + len(indexes))):
            low, high = indexes[0], indexes[0] + len(indexes)
            columns = (arrays[name].window(low, high) for name in _PLACE)
        else:
            numbers = np.asarray(indexes, dtype=np.int64)
            columns = (arrays[name].of(numbers) for name in _PLACE)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def listed(self, places: Sequence[Place]) -> list[memoryview]:
        """Views of the bodies at some places, with commas between them; bodies that are stored in
        this order form one view. No bytes are copied."""
        runs: list[tuple[int, int, int]] = []
        last, start, end = -1, 0, -1
        for segment, offset, length in places:
            if segment == last and offset == end:
                end += length + 1  # a comma follows each body in the segment
            else:
                runs.append((last, start, end))
                last, start, end = segment, offset, offset + length + 1
        # The first run is the sentinel from above; the last body goes without its comma.
        runs = [*runs[1:], (last, start, end - 1)] if places else []
        views = {segment: memoryview(self.segments[segment]) for segment, _, _ in runs}
        return [views[segment][start:end] for segment, start, end in runs]

    def stored(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment, by its number in the manifest."""
        return self.segments[segment][offset : offset + length]

    def read_scattered(self) -> None:
        """Turn off read-ahead (MADV_RANDOM): few bodies will be read, far from each other."""
        for segment in self.segments:
            if isinstance(segment, mmap.mmap):
                segment.madvise(mmap.MADV_RANDOM)

    def fitting(self, indexes: Sequence[int]) -> int:
        """How many of some entries fit on one page; see the function `fitting`."""
        return fitting(self.places(indexes))

    def state(self, index: int) -> str:
        """admitted, or why it is gone: deleted, withdrawn or withheld."""
        kind = KINDS[int(self.arrays["kind"][index])]
        return kind if kind in GONE else "admitted"

    def text(self, index: int) -> bytes:
        """The text to search in: the name in lower case (ASCII) and a NUL; what follows it in
        editions of earlier versions is not searched."""
        return self.entries.string("texts", index)

    def deleted(self, index: int) -> bool:
        return bool(self.arrays["flags"][index] & DELETED)

    def latest(self, name: bytes) -> int | None:
        flags = self.arrays["flags"]
        return next((index for index in self.keys.of(name) if flags[index] & LATEST), None)

    def select(self, start: int, wanted: Selection) -> Iterator[int]:
        """Numbers of the matching entries, rising, from `start` on."""
        if not wanted.search and wanted.since is None and wanted.version is None:
            yield from self._plain(start, wanted)
            return
        table = self.entries
        low, upper = table.split(start)
        # `version_tag` (a CRC-32) only preselects versions; compare the key itself.
        for index in merge(self._of_upper(upper, wanted), self._of_base(low, wanted)):
            if wanted.version is None or self.key(index).partition(b"\0")[2] == wanted.version:
                yield index

    def _of_upper(self, low: int, wanted: Selection) -> Iterator[int]:
        table = self.entries
        behind = np.arange(low, len(table.upper))
        mask = self._mask(table.upper, behind, wanted)
        if not wanted.search:
            yield from table.of_upper(behind[mask]).tolist()
            return
        for row in table.upper.strings["texts"].containing(wanted.search, low):
            if mask[row - low] and name_contains(table.upper.strings["texts"][row], wanted.search):
                yield int(table.of_upper(np.array([row]))[0])

    def _plain(self, start: int, wanted: Selection) -> Iterator[int]:
        """Numbers of the entries from `start` on that match by their flags alone, rising."""
        flags, size = self.arrays["flags"], _FIRST_BLOCK
        care = LATEST * wanted.latest | DELETED * (not wanted.include_deleted)
        while start < self.count:
            end = min(start + size, self.count)
            matches = flags.window(start, end) & care == LATEST * wanted.latest
            yield from (np.flatnonzero(matches) + start).tolist()
            start, size = end, min(size * 4, _BLOCK)

    def _of_base(self, low: int, wanted: Selection) -> Iterator[int]:
        base, indexes = self.base.entries, self.base.indexes
        few = indexes.touched_since(wanted.since) if wanted.since is not None else None
        if few is not None:
            few = few[np.searchsorted(few, low) :]
            texts = base.strings["texts"]
            for start in range(0, len(few), _FIRST_BLOCK):
                rows = few[start : start + _FIRST_BLOCK]
                rows = rows[self._mask(base, rows, wanted)]
                if wanted.search:
                    hits = [name_contains(texts[row], wanted.search) for row in rows.tolist()]
                    rows = rows[np.array(hits, dtype=np.bool_)]
                yield from self.entries.of_base(rows).tolist()
        elif wanted.search:
            for matches in indexes.containing(
                wanted.search, low, lambda rows: self._mask(base, rows, wanted)
            ):
                yield from self.entries.of_base(matches).tolist()
        else:
            size = _FIRST_BLOCK
            while low < len(base):
                rows = np.arange(low, min(low + size, len(base)))
                matches = rows[self._mask(base, rows, wanted)]
                yield from self.entries.of_base(matches).tolist()
                low, size = low + size, min(size * 4, _BLOCK)

    def _mask(self, layer: Layer, rows: Numbers, wanted: Selection) -> npt.NDArray[np.bool_]:
        """Which rows of a layer match; the search text is not checked."""
        flags = layer.columns["flags"][rows]
        mask = np.ones(len(flags), dtype=np.bool_)
        if not wanted.include_deleted:
            mask &= (flags & DELETED) == 0
        if wanted.latest:
            mask &= (flags & LATEST) != 0
        if wanted.version is not None:
            mask &= layer.columns["version_tag"][rows] == zlib.crc32(wanted.version)
        if wanted.since is not None:
            updated = layer.columns["updated"][rows] > wanted.since
            mask &= updated | (layer.columns["changed"][rows] > wanted.since)
        return mask

    def after(self, sequence: int, key: bytes) -> Iterator[int]:
        """Numbers of the entries whose last change is after (sequence, key), in that order."""
        table = self.entries
        base = self.base.indexes.by_sequence(sequence, table.base.keys.after(key))
        changes = table.upper.columns["sequence"]
        rows = np.flatnonzero(changes >= max(sequence, 0))
        behind = table.upper.keys.after(key)
        rows = rows[(changes[rows] > sequence) | (rows >= behind)]
        rows = rows[np.argsort(changes[rows], kind="stable")]
        mine = zip(changes[rows].tolist(), table.of_upper(rows).tolist(), strict=True)
        theirs = (change for part in base for change in self._shown(part))
        for _, index in merge(mine, theirs):
            yield index

    def newest(self, count: int) -> list[int]:
        """Numbers of the `count` last changed entries, by sequence (newest first), then key."""
        # Upper rows may hide as many rows of the base, so ask the base for that many more.
        table, order = self.entries, self.base.indexes.newest(count + len(self.entries.upper))
        numbers = np.concatenate(
            (table.of_upper(np.arange(len(table.upper))), table.of_base(np.sort(order)))
        )
        numbers.sort()
        sequence = self.arrays["sequence"].of(numbers).astype(np.int64)
        indexes: list[int] = numbers[np.argsort(-sequence, kind="stable")][:count].tolist()
        return indexes

    def _shown(self, rows: Numbers) -> Iterator[tuple[int, int]]:
        """(sequence, number) of the rows of the base that are not replaced, in the order given."""
        sequence = self.base.entries.columns["sequence"]
        for row in rows.tolist():
            for index in self.entries.of_base(np.array([row])).tolist():
                yield int(sequence[row]), index


def _mapped(root: Path, manifest: Manifest) -> list[Mapped]:
    return [map_file(root / "segments" / name) for name in manifest.segments]
