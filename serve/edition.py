"""An edition on disk, and reading it: immutable flat files, mapped into memory.

editions/ID/  manifest.json   what it is, its counts, sizes and hashes (format 1)
              keys            name NUL version of every entry, in byte order, end to end
              texts           name NUL description NUL in lower case (ASCII), for substring search
              COLUMN.bin      one array file per column of COLUMNS, in the same order
segments/     ID              bodies that edition ID brought in; shared by later editions

Nothing here parses an entry. Writing is `serve.writer`, going live is `serve.feed`.
"""

import bisect
import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from serve.errors import EditionBroken

FORMAT = 1
LATEST, DELETED = 1, 2
UNPUBLISHED = np.iinfo(np.int64).min
COLUMNS: dict[str, str] = {
    "key_end": "<u8",
    "text_end": "<u8",
    "segment": "<u4",
    "offset": "<u8",
    "length": "<u4",
    "flags": "<u1",
    "published": "<i8",
    "updated": "<i8",
    "changed": "<i8",
    "sequence": "<u8",
    "signature": "V16",
}
"""Array per column: ends are running totals of bytes, instants microseconds since 1970 UTC."""

_BLOCK = 16_384


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What an edition is. `published_at` is None while it is a candidate."""

    format: int
    feed: str
    edition: str
    sequence: int
    previous: str | None
    built_at: datetime
    published_at: datetime | None
    namespace: str
    policy_hash: str
    content_hash: str
    entries: int
    servers: int
    tombstones: int
    withheld: int
    changed: int
    verdicts: dict[str, int]
    treatments: dict[str, int]
    segments: tuple[str, ...]
    files: dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Selection:
    """What a list asks for. Instants are microseconds; `search` is lower case bytes."""

    latest: bool = False
    version: bytes | None = None
    since: int | None = None
    include_deleted: bool = False
    search: bytes = b""


class Edition:
    """A whole edition, read only. Entries are numbered in (name, version) byte order."""

    def __init__(self, folder: Path, segments: Path) -> None:
        self.manifest = read_manifest(folder)
        arrays = {name: _array(folder, name, kind) for name, kind in COLUMNS.items()}
        self.arrays: dict[str, npt.NDArray[Any]] = arrays  # element types are those of COLUMNS
        self._keys = _map(folder / "keys")
        self._texts = _map(folder / "texts")
        self._segments = [_map(segments / name) for name in self.manifest.segments]
        self.count = len(arrays["flags"])
        published = self.manifest.published_at or self.manifest.built_at
        changed = arrays["changed"].copy()
        changed[changed == UNPUBLISHED] = micros(published)
        self.changed: npt.NDArray[np.int64] = changed
        if any(len(array) != self.count for array in arrays.values()):
            raise EditionBroken(f"{folder} has columns of different lengths; build it again")

    def key(self, index: int) -> bytes:
        ends = self.arrays["key_end"]
        return self._keys[int(ends[index - 1]) if index else 0 : int(ends[index])]

    def body(self, index: int) -> bytes:
        start = int(self.arrays["offset"][index])
        segment = self._segments[int(self.arrays["segment"][index])]
        return segment[start : start + int(self.arrays["length"][index])]

    def deleted(self, index: int) -> bool:
        return bool(self.arrays["flags"][index] & DELETED)

    def after(self, key: bytes) -> int:
        """The number of the first entry behind a key; a key without NUL stands for a name."""
        if b"\0" not in key:
            return bisect.bisect_left(range(self.count), key + b"\x01", key=self.key)
        return bisect.bisect_right(range(self.count), key, key=self.key)

    def find(self, name: bytes, version: bytes) -> int | None:
        key = b"%b\0%b" % (name, version)
        index = bisect.bisect_left(range(self.count), key, key=self.key)
        return index if index < self.count and self.key(index) == key else None

    def versions(self, name: bytes) -> range:
        """All entries of a server, by number."""
        start = bisect.bisect_left(range(self.count), name + b"\0", key=self.key)
        return range(start, self.after(name))

    def latest(self, name: bytes) -> int | None:
        flags = self.arrays["flags"]
        return next((i for i in self.versions(name) if flags[i] & LATEST), None)

    def select(self, start: int, wanted: Selection) -> Iterator[int]:
        """Numbers of the entries that match, from `start` on."""
        for index in self._found(start, wanted) if wanted.search else self._masked(start, wanted):
            if wanted.version is None or self.key(index).partition(b"\0")[2] == wanted.version:
                yield index

    def _masked(self, start: int, wanted: Selection) -> Iterator[int]:
        for low in range(start, self.count, _BLOCK):
            mask = self._mask(low, min(low + _BLOCK, self.count), wanted)
            yield from (int(i) + low for i in np.flatnonzero(mask))

    def _found(self, start: int, wanted: Selection) -> Iterator[int]:
        ends = self.arrays["text_end"]
        position = int(ends[start - 1]) if start else 0
        while (position := self._texts.find(wanted.search, position)) >= 0:
            index = int(np.searchsorted(ends, position, side="right"))
            if self._mask(index, index + 1, wanted)[0]:
                yield index
            position = int(ends[index])

    def _mask(self, low: int, high: int, wanted: Selection) -> npt.NDArray[np.bool_]:
        flags = self.arrays["flags"][low:high]
        mask = np.ones(high - low, dtype=np.bool_)
        if not wanted.include_deleted:
            mask &= (flags & DELETED) == 0
        if wanted.latest:
            mask &= (flags & LATEST) != 0
        if wanted.since is not None:
            updated = self.arrays["updated"][low:high] > wanted.since
            mask &= updated | (self.changed[low:high] > wanted.since)
        return mask


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an edition. Raises EditionBroken if it is missing, odd or newer."""
    try:
        found = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise EditionBroken(f"{folder} has no readable manifest: {error}") from error
    if found.format != FORMAT:
        raise EditionBroken(
            f"{folder} has format {found.format}, this subregistry reads {FORMAT}; upgrade it"
        )
    return found


def verify(folder: Path, segments: Path) -> Manifest:
    """Check every file of an edition against its manifest. Raises EditionBroken."""
    manifest = read_manifest(folder)
    for name, (size, digest) in manifest.files.items():
        path = segments / name.removeprefix("segments/") if "/" in name else folder / name
        if not path.exists():
            raise EditionBroken(f"{path} is missing; switch to another edition or build again")
        if path.stat().st_size != size or file_hash(path) != digest:
            raise EditionBroken(f"{path} is not what the manifest says; build it again")
    return manifest


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def _map(path: Path) -> "mmap.mmap | _EmptyMap":
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return _EmptyMap()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise EditionBroken(f"{path} cannot be read: {error}; build it again") from error


class _EmptyMap:
    """An empty file, which cannot be mapped."""

    def __getitem__(self, _: slice) -> bytes:
        return b""

    def find(self, _needle: bytes, _start: int = 0) -> int:
        return -1


def _array(folder: Path, name: str, kind: str) -> npt.NDArray[Any]:
    path = folder / f"{name}.bin"
    try:
        if path.stat().st_size == 0:
            return np.empty(0, dtype=kind)
        return np.memmap(path, dtype=kind, mode="r")
    except (OSError, ValueError) as error:
        raise EditionBroken(f"{path} cannot be read: {error}; build it again") from error
