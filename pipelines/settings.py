"""Deployment settings: `SUBREGISTRY_*` environment variables, read once. Nothing else reads them.

What a feed contains belongs in a feed document; what one run does is a flag.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from connectors.errors import ConnectorError
from connectors.origins import OriginSettings
from connectors.upstreams.kinds import Kind
from connectors.upstreams.places import UpstreamSettings, base_url, is_registry
from pipelines.errors import UsageError
from serve.feed.retention import Retention
from warehouse.database.sizes import parse_size

_PREFIX = "SUBREGISTRY_"
OFFICIAL_URL = "https://registry.modelcontextprotocol.io"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Settings(BaseSettings):
    """One deployment. Durations are seconds, rates are requests per second (0 = unlimited)."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        hide_input_in_errors=True,  # values may be credentials
    )

    home: Path = Field(
        Path(".subregistry"), description="Folder of everything the deployment keeps"
    )
    feeds: Path | None = Field(
        None, description="Folder of feed documents, one TOML file each (see curators.md)"
    )
    upstream_url: str = Field(
        OFFICIAL_URL,
        description="Base URL of the registry to pull from. A `/v0.1` at its end is understood. "
        "Another URL starts with a full walk",
    )
    upstreams: dict[str, UpstreamSettings] = Field(
        default_factory=dict,
        description="JSON object from name to URL or path, or to an object with more members: "
        "several upstreams instead of that URL, highest precedence first (see Upstreams)",
    )
    upstream_rate: float = Field(1.0, ge=0, description="Requests to one upstream")
    upstream_page: int = Field(100, ge=2, le=100, description="Entries to ask for on one page")
    upstream_budget: int = Field(
        20_000, ge=10, description="Requests that one pull may send to one upstream"
    )
    overlap: float = Field(
        3600.0, ge=900, description="How far a pull looks back behind the last one; at least 900"
    )
    offline: bool = Field(
        False, description="1 refuses every address but loopback, when it is dialled"
    )
    contact: str = Field(
        "https://github.com/subregistry/subregistry", description="Named in the User-Agent"
    )
    origins: dict[str, OriginSettings] = Field(
        default_factory=dict,
        description="JSON object from a package registry to its mirror, credentials and rate "
        "(see Package registries)",
    )
    package_rate: float | None = Field(
        None,
        ge=0,
        description="Requests to each package registry, instead of its own rate: npm 5, PyPI 3, "
        "ghcr.io 3, Docker Hub 2, others 1 to 3",
    )
    profile_seconds: float = Field(
        900.0, gt=0, description="Time that one profile run may take; the next goes on"
    )
    warehouse_wait: float = Field(
        30.0, ge=0, description="How long to wait while another process has the warehouse"
    )
    memory_limit: str | None = Field(
        None,
        description="DuckDB's memory, such as `512MB`. By default a fifth of what the machine or "
        "container has, at least 256MB and at most 2GB. No size of registry needs "
        "another: what does not fit goes in parts or to disk, and is slower",
    )
    public_url: str = Field(
        "",
        description="Address that readers use, for links in feeds of changes. By default the "
        "request's host",
    )
    client_rate: int = Field(
        0,
        ge=0,
        description="Requests per *minute* that one client may send to one server process; 0: "
        "unlimited",
    )
    access_log: str = Field(
        "",
        description="File of the access log, or `-` for standard error. By default there is none",
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="Proxies whose `X-Forwarded-For` is believed, by commas"
    )
    metrics: bool = Field(True, description="1 answers `/metrics`, in Prometheus' format")
    objective: float = Field(
        7200.0,
        ge=0,
        description="Age of the pull behind a feed at which `/health` calls it stale; 0: never",
    )
    fast: bool = Field(
        True,
        description="1 answers plain requests in one write, on uvloop; 0 answers all by the "
        "normal ASGI path, on asyncio",
    )
    skew: float = Field(
        60.0, ge=0, description="Clock skew of readers that `updated_since` forgives"
    )
    keep_editions: int = Field(5, ge=2, description="Editions kept per feed at least")
    keep_hours: float = Field(
        48.0,
        ge=0,
        description="Hours for which editions are kept beyond that, for readers of earlier ones",
    )
    max_shrink: float = Field(
        0.05, ge=0, le=1, description="Share of a feed's entries that one switch may lose"
    )

    @field_validator("feeds", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value and parse_size(value) < 128_000_000:
            raise ValueError(f"{value} is too little; 128MB is the least")
        return value or None

    @field_validator("upstreams", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        for name in value:
            if not _NAME.fullmatch(str(name)):
                raise ValueError(f"{name!r} is no name; use a-z, 0-9 and -, 63 at most")
        # A text alone is the place.
        return {
            name: {"url": place} if isinstance(place, str) else place
            for name, place in value.items()
        }

    @model_validator(mode="after")
    def _is_registry(self) -> "Settings":
        """The one URL is not looked at where `upstreams` stands instead of it."""
        try:
            if not self.upstreams:
                base_url(self.upstream_url)
        except ConnectorError as error:
            raise ValueError(f"{_PREFIX}UPSTREAM_URL: {error}") from error
        return self

    @property
    def sources(self) -> dict[str, UpstreamSettings]:
        """Every upstream by its name, highest precedence first."""
        official = base_url(OFFICIAL_URL)
        return {
            name: source.model_copy(update={"kind": Kind.OFFICIAL})
            if not source.kind and is_registry(source.url) and base_url(source.url) == official
            else source
            for name, source in (
                self.upstreams or {"official": UpstreamSettings(url=self.upstream_url)}
            ).items()
        }

    @property
    def retention(self) -> Retention:
        """Which editions are kept."""
        return Retention(self.keep_editions, timedelta(hours=self.keep_hours))

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def analytics(self) -> Path:
        return self.home / "analytics"

    @property
    def feed_root(self) -> Path:
        return self.home / "feeds"

    @property
    def profile_lock(self) -> Path:
        return self.home / "profile.lock"

    @property
    def spool(self) -> Path:
        return self.home / "spool"


def load_settings(**overrides: Any) -> Settings:  # values of any field, checked by pydantic
    """Settings from the environment. Raises UsageError that names the variable, and for a variable
    that looks like a misspelt setting."""
    _refuse_misspelt(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise UsageError("; ".join(_shown(item) for item in error.errors())) from error
    except SettingsError as error:
        # pydantic names the field in its text alone.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{_PREFIX}{field[1].upper()}" if field else f"a {_PREFIX} variable"
        raise UsageError(f"{name} is not JSON: {error.__cause__ or error}") from error
    except ValueError as error:
        raise UsageError(f"a {_PREFIX} variable cannot be read: {error}") from error


def _shown(item: ErrorDetails) -> str:
    """An error of pydantic: the variable, the place in its JSON, what is wrong."""
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    field, *places = map(str, item["loc"])
    return ": ".join(
        [f"{_PREFIX}{field.upper()}", *([".".join(places)] if places else []), message]
    )


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        word = name.removeprefix(_PREFIX).partition("__")[0].lower()
        if not name.startswith(_PREFIX) or word in Settings.model_fields:
            continue
        if near := get_close_matches(word, Settings.model_fields, n=1, cutoff=0.8):
            raise UsageError(f"{name} is no setting; did you mean {_PREFIX}{near[0].upper()}?")


_COUNTS = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it at import


def share_counts(folder: str) -> None:
    """Let processes that start from now on share their metrics through a folder."""
    os.environ[_COUNTS] = folder


def counts_are_shared() -> bool:
    return _COUNTS in os.environ
