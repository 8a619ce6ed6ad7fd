"""The flat files of an edition: mapped bytes, arrays, and keys that are sorted end to end."""

import bisect
import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from serve.errors import EditionBroken

REMEDY = "run subregistry build --anew, then subregistry switch"


Row = TypeVar("Row", bound=msgspec.Struct)


class Mapped(Protocol):
    """Bytes of a file, as mmap gives them."""

    def __getitem__(self, key: slice, /) -> bytes: ...

    def find(self, needle: bytes, start: int = ..., /) -> int: ...


class Keys:
    """`name NUL version` of entries in byte order, end to end; `ends` are running totals."""

    def __init__(self, data: Mapped, ends: npt.NDArray[np.uint64]) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        ends = self._ends
        return self._data[int(ends[index - 1]) if index else 0 : int(ends[index])]

    def pair(self, index: int) -> tuple[str, str]:
        """Name and version."""
        name, _, version = self[index].decode().partition("\0")
        return name, version

    def first(self, key: bytes) -> int:
        """The number of the first key that is not smaller."""
        return bisect.bisect_left(range(len(self)), key, key=self.__getitem__)

    def after(self, key: bytes) -> int:
        """The number of the first one behind a key; a key without NUL stands for a name."""
        if b"\0" not in key:
            return self.first(key + b"\x01")
        return bisect.bisect_right(range(len(self)), key, key=self.__getitem__)

    def find(self, name: bytes, version: bytes) -> int | None:
        key = b"%b\0%b" % (name, version)
        index = self.first(key)
        return index if index < len(self) and self[index] == key else None

    def of(self, name: bytes) -> range:
        """All versions of a server, by number."""
        return range(self.first(name + b"\0"), self.after(name))


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
    """A file mapped into memory, read only. Raises EditionBroken."""
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise EditionBroken(f"{path} cannot be read: {error}; {REMEDY}") from error


def map_array(folder: Path, name: str, kind: str) -> npt.NDArray[Any]:
    """The array NAME.bin of a folder, mapped, read only. Raises EditionBroken."""
    path = folder / f"{name}.bin"
    try:
        if path.stat().st_size == 0:
            return np.empty(0, dtype=kind)
        return np.memmap(path, dtype=kind, mode="r")
    except (OSError, ValueError) as error:
        raise EditionBroken(f"{path} cannot be read: {error}; {REMEDY}") from error


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
