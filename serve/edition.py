"""An edition on disk, and reading it: immutable flat files, mapped into memory.

editions/ID/  manifest.json   what it is, its counts, sizes and hashes (format 3)
              keys            name NUL version of every entry, in byte order, end to end
              texts           name NUL description NUL in lower case (ASCII), for substring search
              COLUMN.bin      one array file per column of COLUMNS, in the same order
              known, reasons  what `serve.records` reads: why each known entry is shown or not
segments/     ID              bodies that edition ID brought in; shared by later editions

Nothing here parses an entry. Writing is `serve.writer`, going live is `serve.feed`.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from serve.errors import EditionBroken
from serve.files import REMEDY, Keys, file_hash, map_array, map_file
from serve.records import Judged, Records

FORMAT = 3
LATEST, DELETED = 1, 2
KINDS = ("added", "changed", "restored", "deleted", "withdrawn", "withheld")
"""What the last change of an entry was; the column `kind` counts from here."""
GONE = ("deleted", "withdrawn", "withheld")
UNPUBLISHED = np.iinfo(np.int64).min
COLUMNS: dict[str, str] = {
    "key_end": "<u8",
    "text_end": "<u8",
    "segment": "<u4",
    "offset": "<u8",
    "length": "<u4",
    "flags": "<u1",
    "kind": "<u1",
    "published": "<i8",
    "updated": "<i8",
    "changed": "<i8",
    "sequence": "<u8",
    "signature": "V16",
}
"""Array per column: ends are running totals of bytes, instants microseconds since 1970 UTC."""

_BLOCK = 16_384
_PAGE_BYTES = 8 << 20


class _Format(msgspec.Struct):
    format: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What an edition is. `published_at` is None while it is a candidate.

    `parts` counts running entries that have a package of a registry type, or a remote.
    """

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
    records_hash: str
    entries: int
    servers: int
    tombstones: int
    withheld: int
    held: int
    changed: int
    parts: dict[str, int]
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
        self.folder = folder
        arrays = {name: map_array(folder, name, kind) for name, kind in COLUMNS.items()}
        self.arrays: dict[str, npt.NDArray[Any]] = arrays  # element types are those of COLUMNS
        self.keys = Keys(map_file(folder / "keys"), arrays["key_end"])
        self._texts = map_file(folder / "texts")
        self._segments = [map_file(segments / name) for name in self.manifest.segments]
        self.count = len(arrays["flags"])
        published = self.manifest.published_at or self.manifest.built_at
        changed = arrays["changed"].copy()
        changed[changed == UNPUBLISHED] = micros(published)
        self.changed: npt.NDArray[np.int64] = changed
        if any(len(array) != self.count for array in arrays.values()):
            raise EditionBroken(f"{folder} has columns of different lengths; {REMEDY}")
        self.records = Records(self)
        self.others: Mapping[int, bytes] = {}

    def without(
        self,
        bodies: Mapping[int, bytes],
        *,
        flags: Mapping[int, int],
        kinds: Mapping[int, str],
        changed: Mapping[int, int],
        signatures: Mapping[int, bytes],
        judged: Mapping[int, Judged],
    ) -> "Edition":
        """The same edition with some entries served otherwise, by number; `judged` by record.

        Itself if nothing is. Instants are microseconds.
        """
        if not bodies and not judged:
            return self
        found = copy(self)
        found.arrays = dict(self.arrays)
        for name, values in (
            ("flags", flags),
            ("kind", {index: KINDS.index(kind) for index, kind in kinds.items()}),
            ("signature", {index: np.void(found) for index, found in signatures.items()}),
        ):
            found.arrays[name] = _replaced(self.arrays[name], values)
        found.changed = _replaced(self.changed, changed)
        found.others = bodies
        found.records = self.records.without(found, judged)
        return found

    def key(self, index: int) -> bytes:
        return self.keys[index]

    def body(self, index: int) -> bytes:
        if index in self.others:
            return self.others[index]
        arrays = self.arrays
        return self.slice(
            int(arrays["segment"][index]),
            int(arrays["offset"][index]),
            int(arrays["length"][index]),
        )

    def slice(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment, by its number in the manifest."""
        return self._segments[segment][offset : offset + length]

    def fitting(self, found: Sequence[int]) -> int:
        """How many of some entries fit on one page: clients refuse one of more than 10 MiB."""
        sizes = np.cumsum(self.arrays["length"][list(found)], dtype=np.int64)
        return max(int(np.searchsorted(sizes, _PAGE_BYTES, side="right")), min(len(found), 1))

    def state(self, index: int) -> str:
        """admitted, or how it left: deleted, withdrawn, withheld."""
        kind = KINDS[int(self.arrays["kind"][index])]
        return kind if kind in GONE else "admitted"

    def text(self, index: int) -> bytes:
        """What search looks at: name and description, each with a NUL behind it, lower case."""
        ends = self.arrays["text_end"]
        return self._texts[int(ends[index - 1]) if index else 0 : int(ends[index])]

    def deleted(self, index: int) -> bool:
        return bool(self.arrays["flags"][index] & DELETED)

    def latest(self, name: bytes) -> int | None:
        flags = self.arrays["flags"]
        return next((i for i in self.keys.of(name) if flags[i] & LATEST), None)

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


def _replaced(
    array: npt.NDArray[Any],  # of any element type
    values: Mapping[int, Any],
) -> npt.NDArray[Any]:
    found = array.copy()
    for index, value in values.items():
        found[index] = value
    return found


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an edition. Raises EditionBroken if it is missing, odd or newer."""
    try:
        data = (folder / "manifest.json").read_bytes()
        written = msgspec.json.decode(data, type=_Format).format
        if written == FORMAT:
            return msgspec.json.decode(data, type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise EditionBroken(f"{folder} has no readable manifest: {error}; {REMEDY}") from error
    remedy = "upgrade it" if written > FORMAT else f"that is an older one; {REMEDY}"
    raise EditionBroken(f"{folder} has format {written}, this subregistry reads {FORMAT}; {remedy}")


def verify(folder: Path, segments: Path, *, trusted: Container[str] = ()) -> Manifest:
    """Check every file of an edition against its manifest, but for `trusted` segments.

    Raises EditionBroken.
    """
    manifest = read_manifest(folder)
    for name, (size, digest) in manifest.files.items():
        if name in trusted:
            continue
        path = segments / name.removeprefix("segments/") if "/" in name else folder / name
        if not path.exists():
            raise EditionBroken(f"{path} is missing; {REMEDY}")
        if path.stat().st_size != size or file_hash(path) != digest:
            raise EditionBroken(f"{path} is not what the manifest says; {REMEDY}")
    return manifest


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
