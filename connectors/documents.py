"""A local file or directory of server.json documents: the upstream of in-house servers.

Only files are read here and nothing is interpreted. A place that cannot be read is an error, never
an empty list, so that an unmounted directory deletes nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from connectors.contract import MAX_ENTRY
from connectors.errors import TerminalError


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
        places = {item.relative_to(path): item for item in path.rglob("*.json") if item.is_file()}
        return [
            _read(item, place.as_posix())
            for place, item in sorted(places.items())
            if not any(part.startswith(".") for part in place.parts)
        ]
    except OSError as error:
        raise TerminalError(
            f"{path} cannot be read ({error}); nothing was changed, make it readable"
        ) from error


def _read(path: Path, place: str) -> Document:
    with path.open("rb") as file:
        return Document(place, file.read(MAX_ENTRY + 1).strip())
