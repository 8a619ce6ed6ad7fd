"""How a host is reached, and what it is told. Nothing here loads a client."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Route:
    """How one host is reached: a CA bundle for its certificate, a proxy, and what it is told.

    `authorization` is sent to exactly the base URLs named, each with the header value for it.
    """

    ca_bundle: str | None = None
    proxy: str | None = None
    authorization: Mapping[str, str] = field(default_factory=dict, repr=False)


def base_of(url: str) -> str:
    """Scheme, host and port of a URL, as `Route.authorization` names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address, or the name of one that needs no resolver."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
