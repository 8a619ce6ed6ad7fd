"""Where each package registry is asked: a fixed table that data cannot extend.

Defaults come from the connectors. An operator may give an origin another base URL, credentials, a
CA bundle or a proxy. An entry's own `registryBaseUrl` is compared with this table, but no request
ever goes to it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from urllib.parse import urlsplit

from packageurl.contrib.purl2url import get_download_url, get_repo_url
from pydantic import Field, field_validator

from connectors.access import Access, safe_url
from connectors.errors import ConnectorError
from connectors.http.pacing import RateLimits
from connectors.http.routes import Route, base_of


class OriginSettings(Access):
    """An operator's settings of one origin.

    Credentials go only to the base URL and the token service (`realm`) of this origin.
    """

    url: str | None = Field(None, description="Base URL of a mirror")
    realm: str | None = Field(None, description="Base URL of its token service, if another host")
    index: str = Field("simple", description="Where a Python index lies below its base URL")
    blob_hosts: tuple[str, ...] = Field((), description="Hosts that its images may be sent from")
    slots: int | None = Field(None, ge=1, le=16, description="Requests at once")
    budget: int | None = Field(None, ge=1, description="Requests per UTC day")

    @field_validator("url", "realm")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        return None if value is None else safe_url(value)

    @field_validator("index")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*", value):
            raise ValueError("write a path such as simple or +simple")
        return value


@dataclass(frozen=True)
class Origin:
    """One registry: the base URL to ask, and the hosts that tokens and blobs may come from.

    `realm` and `service` say where to get a token, if that is known beforehand. `index` is the path
    of a Python index. `bases` are scheme, host and port of the URLs that the operator configured.
    """

    id: str
    url: str
    realm_hosts: tuple[str, ...] = ()
    blob_suffixes: tuple[str, ...] = ()
    realm: str = ""
    service: str = ""
    index: str = "simple"
    bases: tuple[str, ...] = ()
    limits: RateLimits = field(default_factory=RateLimits)
    by_operator: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


Find = Callable[[str], Origin | None]
"""Return the default origin for the part after `KIND:` of an origin id (mostly empty), or None."""


class Origins:
    """The table of one deployment: the connectors' defaults, then the operator's settings."""

    def __init__(
        self, defaults: Mapping[str, Find], settings: Mapping[str, OriginSettings]
    ) -> None:
        self._defaults = dict(defaults)
        self._settings = dict(settings)
        for name, setting in self._settings.items():
            kind = name.partition(":")[0]
            if kind not in self._defaults:
                known = ", ".join(sorted(self._defaults))
                raise ConnectorError(f"{name!r} is no origin; its kind is one of {known}")
            if setting.url is None and self._default(name) is None:
                raise ConnectorError(f"{name} needs a url: there is no default for it")

    def find(self, origin_id: str) -> Origin | None:
        """The origin with this id; None if nothing may be asked there."""
        default, setting = self._default(origin_id), self._settings.get(origin_id)
        if setting is None:
            return default
        limits = default.limits if default else RateLimits()
        limits = RateLimits(
            rate=limits.rate if setting.rate is None else setting.rate,
            slots=setting.slots or limits.slots,
            budget=setting.budget or limits.budget,
        )
        if setting.url is None:
            return replace(default, limits=limits, index=setting.index) if default else None
        # An operator's URL replaces the default entirely, its hosts for tokens and blobs too.
        bases = tuple(base_of(url) for url in (setting.url, setting.realm) if url)
        return Origin(
            origin_id,
            setting.url,
            blob_suffixes=setting.blob_hosts,
            index=setting.index,
            bases=bases,
            limits=limits,
            by_operator=True,
        )

    def is_named(self, origin_id: str) -> bool:
        """Whether the operator configured this origin; some origins are off until then."""
        return origin_id in self._settings

    def is_mirror(self, origin_id: str) -> bool:
        """Whether the operator named another address for this origin."""
        return self.is_named(origin_id) and self._settings[origin_id].url is not None

    def hosts(self, kind: str) -> frozenset[str]:
        """The parts after `KIND:` in the ids of the origins that the operator configured."""
        pairs = (name.partition(":") for name in self._settings)
        return frozenset(rest for prefix, _, rest in pairs if prefix == kind and rest)

    def route(self, origin: Origin) -> Route:
        """How to reach an origin; secrets are read from their files now. Raises ConnectorError."""
        setting = self._settings.get(origin.id)
        if setting is None:
            return Route()
        # A public registry with a token service gets credentials at that service only.
        bases = [origin.url] if setting.url or not origin.realm_hosts else []
        bases += [setting.realm] if setting.realm else []
        if not setting.url:
            bases += [f"https://{host}" for host in origin.realm_hosts]
        return setting.route(bases)

    def operator_hosts(self) -> frozenset[str]:
        """The hosts that the operator configured; they may be private or loopback addresses."""
        urls: list[str | None] = []
        for setting in self._settings.values():
            urls += [
                setting.url,
                setting.realm,
                setting.proxy.get_secret_value() if setting.proxy else None,
            ]
        return frozenset(urlsplit(url).hostname or "" for url in urls if url)

    def _default(self, origin_id: str) -> Origin | None:
        kind, _, rest = origin_id.partition(":")
        find = self._defaults.get(kind)
        return find(rest) if find else None


DEFAULTS = ("npm", "pypi")
"""The kinds of registries that have exactly one public registry."""


@cache
def default_url(kind: str) -> str:
    """The public registry of npm or PyPI, as packageurl knows it. Raises ConnectorError."""
    url = {
        "npm": get_download_url("pkg:npm/x@1"),  # type: ignore[no-untyped-call]
        "pypi": get_repo_url("pkg:pypi/x"),  # type: ignore[no-untyped-call]
    }[kind]
    parts = urlsplit(url or "")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.port:
        raise ConnectorError(f"packageurl knows no {kind} registry; give {kind} a url")
    return f"https://{parts.hostname}"
