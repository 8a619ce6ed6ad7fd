"""Where an upstream is: the URL of a registry, or the path of a folder of documents."""

from pathlib import Path
from urllib.parse import urlsplit

from connectors.errors import ConnectorError

_REGISTRY = ("http://", "https://")
_FILE = "file://"


def check_place(place: str) -> None:
    """Raise ValueError for a text that is neither."""
    if not place.strip():
        raise ValueError("there is no URL or path")
    if "://" in place and not place.startswith((*_REGISTRY, f"{_FILE}/")):
        raise ValueError(f"{place!r} is neither an http(s) URL nor a path")
    if is_registry(place):
        try:
            base_url(place)
        except ConnectorError as error:
            raise ValueError(str(error)) from error


def is_registry(place: str) -> bool:
    return place.startswith(_REGISTRY)


def folder_path(place: str) -> Path:
    """The path of a folder or file, written as a path or with file://."""
    return Path(place.removeprefix(_FILE))


def without_credentials(place: str) -> str:
    """A place as it may be shown and stored: a URL without user name and password."""
    parts = urlsplit(place)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def base_url(url: str) -> str:
    """A registry's base URL without version prefix and trailing slash. Raises ConnectorError."""
    base = url.strip().rstrip("/")
    for prefix in ("/v0.1", "/v0"):
        base = base.removesuffix(prefix)
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    except ValueError:
        usable = False
    if not usable:
        raise ConnectorError(f"{url!r} is not a registry URL; write https://HOST[/PATH]", url=url)
    return base.rstrip("/")
