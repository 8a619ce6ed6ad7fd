"""Where an upstream is: the URL of a registry, or the path of a folder of documents."""

from pathlib import Path

_REGISTRY = ("http://", "https://")
_FILE = "file://"


def check_place(place: str) -> None:
    """Raise ValueError for a text that is neither."""
    if not place.strip():
        raise ValueError("there is no URL or path")
    if "://" in place and not place.startswith((*_REGISTRY, f"{_FILE}/")):
        raise ValueError(f"{place!r} is neither an http(s) URL nor a path")


def is_registry(place: str) -> bool:
    return place.startswith(_REGISTRY)


def folder_path(place: str) -> Path:
    """The path of a folder or file, written as a path or with file://."""
    return Path(place.removeprefix(_FILE))
