"""A local file or directory of server.json documents: the upstream for in-house servers.

This module reads files and interprets nothing. An unreadable path is an error, never an empty list,
so that an unmounted directory deletes nothing.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from connectors.errors import TerminalError
from connectors.upstreams.contract import MAX_ENTRY


@dataclass(frozen=True)
class Document:
    """The bytes of one file, and its path relative to the folder that was read."""

    place: str
    body: bytes


def read_documents(path: Path) -> list[Document]:
    """The documents of a `.json` file, or of a directory and its subdirectories, sorted by path.

    Hidden files and directories are skipped. Of a too large file only one byte over the limit is
    read, which shows that it is too large. Raises TerminalError.
    """
    try:
        if path.is_file():
            return [_read(path, path.name)]
        if not path.is_dir():
            raise TerminalError(f"{path} is no file or directory; mount it, or correct the setting")
        return [_read(item, _place(item, path)) for item in sorted(_files(path))]
    except OSError as error:
        raise TerminalError(
            f"{path} cannot be read ({error}); nothing was changed, make it readable"
        ) from error


def _files(path: Path) -> Iterator[Path]:
    """Yield every `.json` file; an unreadable directory raises, else its files would seem gone."""
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "lost+found"]
        for name in names:
            item = Path(folder) / name
            shown = name.endswith(".json") and not name.startswith(".")
            if shown and S_ISREG(item.stat().st_mode):
                yield item


def _raise(error: OSError) -> None:
    raise error


def _place(item: Path, path: Path) -> str:
    """A readable relative path, also if the file system's name is not UTF-8."""
    return os.fsencode(item.relative_to(path)).decode("utf-8", "backslashreplace")


def _read(path: Path, place: str) -> Document:
    with path.open("rb") as file:
        return Document(place, file.read(MAX_ENTRY + 1))
