"""Files on disk: atomic writes, memory maps, hashes, lock files, JSON lists replaced as a whole.

`serve.edition.edition` describes the files of an edition.
"""

import hashlib
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec
from filelock import FileLock, Timeout

from serve.errors import EditionBroken

REMEDY = "run subregistry build --from-scratch, then subregistry switch"

Row = TypeVar("Row", bound=msgspec.Struct)

Mapped = bytes | mmap.mmap
"""The bytes of a file."""
Piece = bytes | memoryview
_BLOCK = 4096
"""Bytes of a disk block: a file of whole ones has room for a longer text."""


class JsonFile(Generic[Row]):
    """A JSON list of rows of one type; replaced as a whole, and cached until it is replaced."""

    def __init__(self, path: Path, kind: type[Row]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # a type that is only known at run time
        self._seen: tuple[int, int] | None = None
        self._rows: list[Row] = []

    def read(self) -> list[Row]:
        """All rows; empty if there is no file. Raises OSError, msgspec.DecodeError."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        # A replaced file has another inode, even if the two modification times are equal; one that
        # was written over has another time.
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen:
            self._rows = self._decoder.decode(self._path.read_bytes())
            self._seen = seen
        return self._rows

    def write(self, rows: list[Row]) -> None:
        replace_roomy(self._path, msgspec.json.format(msgspec.json.encode(rows)) + b"\n")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the file between reading and writing; waits for other holders."""
        with locked(self._path.with_suffix(".lock")):
            yield


@contextmanager
def locked(path: Path, *, busy: Exception | None = None) -> Iterator[None]:
    """Hold a lock file while the block runs; creates its folder.

    If another process or thread holds it, raise `busy`; without `busy`, wait. The operating system
    releases the lock of a process that dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0 if busy else -1)
    try:
        lock.acquire()
    except Timeout as error:
        raise busy or error from error
    try:
        yield
    finally:
        lock.release()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_file(path: Path) -> Mapped:
    """Map a file into memory, read only; maps of one file are shared. Raises EditionBroken."""
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_size == 0:  # mmap refuses an empty file
                return b""
            place = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            data = _maps.get(place)
            if data is None:
                data = _maps[place] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return data
    except OSError as error:
        raise EditionBroken(f"{path} cannot be read: {error}; {REMEDY}") from error


_maps: WeakValueDictionary[tuple[int, ...], mmap.mmap] = WeakValueDictionary()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically (write, fsync, rename), so that it survives a crash."""
    part = path.with_name(f"{path.name}.part")
    # What is there was left by a killed process, or is a link that somebody put there.
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)  # makes the rename itself durable


def replace_roomy(path: Path, data: bytes) -> None:
    """Replace a small text file that has room for the next text: it is padded to whole blocks.

    On a full disk there may be no room for a second file, but there is in this one: then it is
    written over in place. Raises OSError where that is too small.
    """
    padded = data + b" " * (-len(data) % _BLOCK)
    try:
        replace_file(path, padded)
    except OSError:
        path.with_name(f"{path.name}.part").unlink(missing_ok=True)
        if not path.exists():
            raise
        with path.open("r+b") as file:
            if len(padded) > path.stat().st_size:
                raise
            file.write(padded)
            file.truncate()
            os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
