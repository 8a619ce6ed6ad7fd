"""Packed files: named arrays behind one header, mapped into memory.

A packed file is `SRPACK1`, a newline, the length of a JSON header as 8 hex digits, the header
{NAME: [TYPE, OFFSET, BYTES]}, and the arrays. The offset of each array from the start of the file
is a multiple of 64. Types are those of numpy; the type `bytes` is raw bytes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from serve.disk import REMEDY, Mapped, map_file
from serve.edition.strings import Strings
from serve.errors import EditionBroken

_MAGIC = b"SRPACK1\n"
_ALIGNED = 64
BYTES = "bytes"

Packed = Mapping[str, npt.NDArray[Any] | Mapped]


def write_packed(path: Path, values: Packed) -> None:
    """Write a packed file of arrays and bytes, and flush it to the disk (fsync)."""
    header: dict[str, tuple[str, int, int]] = {}
    length, offset = 0, 0
    for _ in range(3):  # offsets and the length of the header depend on each other
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
        length -= length % _ALIGNED  # rounded up, so that the length soon stays the same
    encoded = msgspec.json.encode(header).ljust(length)
    with path.open("wb") as file:
        file.write(b"%b%08x%b" % (_MAGIC, length, encoded))
        for name, value in values.items():
            file.write(b"\0" * (header[name][1] - file.tell()))
            file.write(np.ascontiguousarray(value).data if isinstance(value, np.ndarray) else value)
        file.flush()
        os.fsync(file.fileno())


class PackedFile:
    """A packed file, mapped. Raises EditionBroken if it is not a packed file or is truncated."""

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
        """An array, checked to have the type `kind`. Raises EditionBroken."""
        stored, offset, size = self._place(name)
        if stored != np.dtype(kind).str:
            raise EditionBroken(f"{self.path} has {name} as {stored}, not {kind}; {REMEDY}")
        dtype = np.dtype(kind)
        if not size:
            return np.empty(0, dtype=dtype)
        data: Any = self.data  # any buffer
        return np.frombuffer(data, dtype=dtype, count=size // dtype.itemsize, offset=offset)

    def strings(self, name: str, ends: npt.NDArray[Any]) -> Strings:
        """Concatenated strings; `ends` are running totals of lengths. Raises EditionBroken."""
        _, offset, size = self._place(name)
        if size != (int(ends[-1]) if len(ends) else 0):
            raise EditionBroken(f"{self.path} has not the {name} that it says; {REMEDY}")
        return Strings(self.data, ends, offset)

    def _place(self, name: str) -> tuple[str, int, int]:
        if name not in self.header:
            raise EditionBroken(f"{self.path} has no {name}; {REMEDY}")
        return self.header[name]
