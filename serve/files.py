"""The flat files of an edition: packed arrays, mapped bytes, and keys that are sorted end to end.

A packed file is `SRPACK1`, a newline, the length of a JSON header as 8 hex digits, the header
{NAME: [TYPE, OFFSET, BYTES]}, and the arrays, each at an offset from the file's start that is a
multiple of 64. Types are numpy's; `bytes` are bytes end to end.
"""

import bisect
import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec
import numpy as np
import numpy.typing as npt

from serve.errors import EditionBroken

REMEDY = "run subregistry build --anew, then subregistry switch"


Row = TypeVar("Row", bound=msgspec.Struct)


Mapped = bytes | mmap.mmap
"""Bytes of a file."""
Piece = bytes | memoryview


class Strings:
    """Strings end to end, from `origin` of the data on; `ends` are running totals of bytes."""

    def __init__(self, data: Mapped, ends: npt.NDArray[Any], origin: int = 0) -> None:
        self.data, self.ends, self.origin = data, ends, origin
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


class JsonFile(Generic[Row]):
    """A JSON list of rows of one type, replaced whole, and read again when it is another."""

    def __init__(self, path: Path, kind: type[Row]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._seen: tuple[int, int] | None = None
        self._rows: list[Row] = []

    def read(self) -> list[Row]:
        """All rows; none if there is no file. Raises OSError, msgspec.DecodeError."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen:
            self._rows = self._decoder.decode(self._path.read_bytes())
            self._seen = seen
        return self._rows

    def write(self, rows: list[Row]) -> None:
        replace_file(self._path, msgspec.json.format(msgspec.json.encode(rows)))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody else change it between reading and writing; waits."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_file(path: Path) -> Mapped:
    """A file mapped into memory, read only; who maps it again shares it. Raises EditionBroken."""
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_size == 0:
                return b""
            place = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            found = _maps.get(place)
            if found is None:
                found = _maps[place] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return found
    except OSError as error:
        raise EditionBroken(f"{path} cannot be read: {error}; {REMEDY}") from error


def mapped(descriptor: int) -> Mapped:
    """An open file mapped into memory, read only."""
    if os.fstat(descriptor).st_size == 0:
        return b""
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


_maps: WeakValueDictionary[tuple[int, ...], mmap.mmap] = WeakValueDictionary()

_MAGIC = b"SRPACK1\n"
_ALIGNED = 64
BYTES = "bytes"

Packed = Mapping[str, npt.NDArray[Any] | Mapped]


def write_packed(path: Path, values: Packed) -> None:
    """Write a packed file of arrays and bytes, and have the disk keep it."""
    header: dict[str, tuple[str, int, int]] = {}
    length, offset = 0, 0
    for _ in range(3):  # offsets change the length of the header, and that the offsets
        offset = len(_MAGIC) + 8 + length
        for name, value in values.items():
            offset += -offset % _ALIGNED
            if isinstance(value, np.ndarray):
                kind, size = value.dtype.str, value.nbytes
            else:
                kind, size = BYTES, len(value)
            header[name] = kind, offset, size
            offset += size
        length = len(msgspec.json.encode(header)) + _ALIGNED
        length -= length % _ALIGNED
    encoded = msgspec.json.encode(header).ljust(length)
    with path.open("wb") as file:
        file.write(b"%b%08x%b" % (_MAGIC, length, encoded))
        for name, value in values.items():
            file.write(b"\0" * (header[name][1] - file.tell()))
            file.write(np.ascontiguousarray(value).data if isinstance(value, np.ndarray) else value)
        file.flush()
        os.fsync(file.fileno())


class PackedFile:
    """A packed file, mapped. Raises EditionBroken if it is none, or cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = map_file(path)
        try:
            if self.data[: len(_MAGIC)] != _MAGIC:
                raise EditionBroken(f"{path} is no file of an edition; {REMEDY}")
            start = len(_MAGIC) + 8
            end = start + int(self.data[len(_MAGIC) : start], 16)
            self.header = msgspec.json.decode(
                self.data[start:end], type=dict[str, tuple[str, int, int]]
            )
            size = path.stat().st_size
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise EditionBroken(f"{path} is damaged: {error}; {REMEDY}") from error
        if any(offset + length > size for _, offset, length in self.header.values()):
            raise EditionBroken(f"{path} is cut; {REMEDY}")

    def array(self, name: str, kind: str) -> npt.NDArray[Any]:
        """An array of a type. Raises EditionBroken."""
        found, offset, size = self._place(name)
        if found != np.dtype(kind).str:
            raise EditionBroken(f"{self.path} has {name} as {found}, not {kind}; {REMEDY}")
        dtype = np.dtype(kind)
        if not size:
            return np.empty(0, dtype=dtype)
        data: Any = self.data  # a buffer
        return np.frombuffer(data, dtype=dtype, count=size // dtype.itemsize, offset=offset)

    def strings(self, name: str, ends: npt.NDArray[Any]) -> Strings:
        """Strings end to end, with their running totals."""
        _, offset, size = self._place(name)
        if size != (int(ends[-1]) if len(ends) else 0):
            raise EditionBroken(f"{self.path} has not the {name} that it says; {REMEDY}")
        return Strings(self.data, ends, offset)

    def _place(self, name: str) -> tuple[str, int, int]:
        if name not in self.header:
            raise EditionBroken(f"{self.path} has no {name}; {REMEDY}")
        return self.header[name]


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole, and lasts."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk keep a file, or what a folder lists."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
