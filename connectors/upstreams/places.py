"""Where an upstream is: the URL of a registry, or the path of a folder of documents."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.access import Access, safe_url
from connectors.errors import ConnectorError
from connectors.upstreams.kinds import Kind

_REGISTRY = ("http://", "https://")
_FILE = "file://"


class UpstreamSettings(Access):
    """An operator's settings of one upstream: its URL or path, and how it is reached."""

    url: str = Field(description="URL of a registry, or path of a folder of documents")
    kind: Kind | None = Field(
        None,
        description="`official`: the official registry, a mirror of it, or a feed like ours. "
        "`registry`: any other by the OpenAPI document; each pull reads all of it. By default the "
        "first page of its list tells",
    )
    private: bool | None = Field(
        None,
        description="Names of it that a feed does not show are unknown to that feed's readers. By "
        "default so for paths and for upstreams with credentials",
    )

    @field_validator("url")
    @classmethod
    def _is_place(cls, value: str) -> str:
        check_place(value)
        return value

    @model_validator(mode="after")
    def _fitting(self) -> "UpstreamSettings":
        if self.kind is not None and (self.kind is Kind.FOLDER) == is_registry(self.url):
            raise ValueError(f"{self.url} is not of the kind {self.kind}")
        return self

    @model_validator(mode="after")
    def _guarded(self) -> "UpstreamSettings":
        if self.has_credentials:
            if not is_registry(self.url):
                raise ValueError("a path takes no credentials")
            safe_url(self.url)
        return self

    @property
    def is_private(self) -> bool:
        if self.private is not None:
            return self.private
        return self.has_credentials or not is_registry(self.url)


def check_place(place: str) -> None:
    """Raise ValueError for a text that is neither."""
    if not place.strip():
        raise ValueError("there is no URL or path")
    if "://" in place and not (is_registry(place) or place.startswith(f"{_FILE}/")):
        raise ValueError(f"{place!r} is neither an http(s) URL nor a path")
    if is_registry(place):
        try:
            base_url(place)
        except ConnectorError as error:
            raise ValueError(str(error)) from error


def is_registry(place: str) -> bool:
    return place.strip().lower().startswith(_REGISTRY)


def folder_path(place: str) -> Path:
    """The path of a folder or file, written as a path or with file://."""
    return Path(place.removeprefix(_FILE))


def base_url(url: str) -> str:
    """A registry's base URL without version prefix and trailing slash. Raises ConnectorError."""
    base = url.strip().rstrip("/")
    for prefix in ("/v0.1", "/v0"):
        base = base.removesuffix(prefix)
    try:
        parts = urlsplit(base)
        extra = parts.query or parts.fragment
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not extra
    except ValueError:
        usable = False
    # Wherever it stands: a password may hold a slash.
    if "@" in base:
        raise ConnectorError(
            "a registry URL holds no user name and no password; give them as username and "
            'password_file of that upstream: SUBREGISTRY_UPSTREAMS={"NAME": {"url": ...}}'
        )
    if not usable:
        raise ConnectorError(f"{url!r} is not a registry URL; write https://HOST[/PATH]", url=url)
    return base.rstrip("/")
