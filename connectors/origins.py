"""Where each package registry is asked: a fixed table that data cannot extend.

Defaults come from the connectors. An operator may give an origin another base URL, credentials, a
CA bundle or a proxy. An entry's own `registryBaseUrl` is compared with this table, but no request
ever goes to it.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from packageurl.contrib.purl2url import get_download_url, get_repo_url
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.errors import ConnectorError
from connectors.http.pacing import RateLimits
from connectors.http.routes import Route, base_of, is_loopback


class OriginSettings(BaseModel):
    """An operator's settings of one origin; secrets come from the environment or from a file.

    Credentials go only to the base URL and the token service (`realm`) of this origin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(None, description="Base URL of a mirror")
    realm: str | None = Field(None, description="Base URL of its token service, if another host")
    index: str = Field("simple", description="Where a Python index lies below its base URL")
    blob_hosts: tuple[str, ...] = Field((), description="Hosts that its images may be sent from")
    token: SecretStr | None = Field(None, description="Sent as Bearer")
    token_file: Path | None = None
    username: str | None = Field(None, description="Sent as Basic, with a password")
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_bundle: Path | None = Field(None, description="PEM file that its certificate is checked by")
    proxy: SecretStr | None = Field(None, description="http(s)://[USER:PASSWORD@]HOST:PORT")
    rate: float | None = Field(None, ge=0, description="Requests per second, 0 = unlimited")
    slots: int | None = Field(None, ge=1, le=16, description="Requests at once")
    budget: int | None = Field(None, ge=1, description="Requests per UTC day")

    @field_validator("url", "realm")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write https://HOST[:PORT][/PATH]")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("credentials have fields of their own; no query, no fragment")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("plain http is for loopback addresses only; write https")
        return value.rstrip("/")

    @field_validator("index")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*", value):
            raise ValueError("write a path such as simple or +simple")
        return value

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write http://[USER:PASSWORD@]HOST:PORT")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> "OriginSettings":
        tokens = [value for value in (self.token, self.token_file) if value is not None]
        passwords = [value for value in (self.password, self.password_file) if value is not None]
        if len(tokens) + len(passwords) > 1:
            raise ValueError("give one of token, token_file, password, password_file")
        if bool(passwords) != (self.username is not None):
            raise ValueError("username and password (or password_file) belong together")
        return self

    def authorization(self) -> str | None:
        """The value of the Authorization header; None without credentials.

        Raises ConnectorError if a secret's file cannot be read.
        """
        if self.token or self.token_file:
            return f"Bearer {_secret(self.token, self.token_file)}"
        if self.username is None:
            return None
        pair = f"{self.username}:{_secret(self.password, self.password_file)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


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
        secret = setting.authorization()
        # A public registry with a token service gets credentials at that service only.
        bases = [origin.url] if setting.url or not origin.realm_hosts else []
        bases += [setting.realm] if setting.realm else []
        if not setting.url:
            bases += [f"https://{host}" for host in origin.realm_hosts]
        return Route(
            ca_bundle=str(setting.ca_bundle) if setting.ca_bundle else None,
            proxy=setting.proxy.get_secret_value() if setting.proxy else None,
            authorization={base_of(base): secret for base in bases} if secret else {},
        )

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


def _secret(value: SecretStr | None, file: Path | None) -> str:
    if value is not None:
        return value.get_secret_value()
    assert file is not None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConnectorError(f"the secret in {file} cannot be read: {error}") from error


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
