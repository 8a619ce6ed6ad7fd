"""Where each package registry is asked: a fixed table that data cannot extend.

The default hosts of npm and PyPI come from packageurl at run time; an operator may override every
base URL. An entry's own `registryBaseUrl` is compared with this table and never asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from packageurl.contrib.purl2url import get_download_url, get_repo_url

from connectors.errors import ConnectorError

OCI_SUFFIXES = (".pkg.dev", ".azurecr.io")


@dataclass(frozen=True)
class Origin:
    """One registry: the base URL to ask, and the hosts that tokens and blobs may come from."""

    id: str
    url: str
    realm_hosts: tuple[str, ...] = ()
    blob_suffixes: tuple[str, ...] = ()
    by_operator: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


_OCI = {
    "docker.io": Origin(
        "oci:docker.io",
        "https://registry-1.docker.io",
        realm_hosts=("auth.docker.io",),
        blob_suffixes=(".cloudflare.docker.com", ".r2.cloudflarestorage.com"),
    ),
    "ghcr.io": Origin(
        "oci:ghcr.io",
        "https://ghcr.io",
        realm_hosts=("ghcr.io",),
        blob_suffixes=("pkg-containers.githubusercontent.com",),
    ),
    "quay.io": Origin(
        "oci:quay.io", "https://quay.io", realm_hosts=("quay.io",), blob_suffixes=(".quay.io",)
    ),
    "mcr.microsoft.com": Origin(
        "oci:mcr.microsoft.com",
        "https://mcr.microsoft.com",
        blob_suffixes=(".data.mcr.microsoft.com",),
    ),
}


class Origins:
    """The table of one deployment: defaults, with the operator's base URLs on top."""

    def __init__(
        self, *, npm: str | None = None, pypi: str | None = None, oci: Mapping[str, str]
    ) -> None:
        self._urls = {"npm": npm, "pypi": pypi}
        self._oci = dict(oci)
        for url in [*self._urls.values(), *self._oci.values()]:
            parts = urlsplit(url or "https://x")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ConnectorError(f"{url!r} is not a base URL; write https://HOST[/PATH]")

    def find(self, origin_id: str) -> Origin | None:
        """The origin with an id, None if nothing may be asked there."""
        kind, _, host = origin_id.partition(":")
        if kind in self._urls:
            url = self._urls[kind]
            return Origin(kind, (url or default_url(kind)).rstrip("/"), by_operator=bool(url))
        if kind != "oci":
            return None
        if host in self._oci:
            url = self._oci[host].rstrip("/")
            return Origin(origin_id, url, (urlsplit(url).hostname or "",), by_operator=True)
        if host in _OCI:
            return _OCI[host]
        if host.endswith(OCI_SUFFIXES):
            return Origin(origin_id, f"https://{host}", realm_hosts=(host,))
        return None

    def operator_hosts(self) -> frozenset[str]:
        """Hosts that the operator configured: these may be private or loopback addresses."""
        urls = [url for url in [*self._urls.values(), *self._oci.values()] if url]
        return frozenset(urlsplit(url).hostname or "" for url in urls)


@cache
def default_url(kind: str) -> str:
    """The public registry of npm or PyPI, as packageurl knows it. Raises ConnectorError."""
    found = {
        "npm": get_download_url("pkg:npm/x@1"),  # type: ignore[no-untyped-call]
        "pypi": get_repo_url("pkg:pypi/x"),  # type: ignore[no-untyped-call]
    }[kind]
    parts = urlsplit(found or "")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.port:
        raise ConnectorError(
            f"packageurl knows no {kind} registry; set SUBREGISTRY_{kind.upper()}_URL"
        )
    return f"https://{parts.hostname}"
