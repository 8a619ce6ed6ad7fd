"""A local file or directory of server.json documents: the upstream of in-house servers.

Only files are read here and nothing is interpreted. A place that cannot be read is an error, never
an empty list, so that an unmounted directory deletes nothing.
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
    """The bytes of one file, and its place relative to what was asked for."""

    place: str
    body: bytes


def read_documents(path: Path) -> list[Document]:
    """The documents of a `.json` file, or of all of a directory and those below it, by place.

    Hidden files and directories are passed over. Of a file that is too large only so much is read
    that it is seen to be. Raises TerminalError.
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
    """Every `.json` file; a place that cannot be read raises, or its documents would seem gone."""
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders[:] = [n for n in folders if not n.startswith(".") and n != "lost+found"]
        for name in names:
            item = Path(folder) / name
            shown = name.endswith(".json") and not name.startswith(".")
            if shown and S_ISREG(item.stat().st_mode):
                yield item


def _raise(error: OSError) -> None:
    raise error


def _place(item: Path, path: Path) -> str:
    """A readable name, also where the file system's is not UTF-8."""
    return os.fsencode(item.relative_to(path)).decode("utf-8", "backslashreplace")


def _read(path: Path, place: str) -> Document:
    with path.open("rb") as file:
        return Document(place, file.read(MAX_ENTRY + 1).strip())
