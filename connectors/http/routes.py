"""How a host is reached: proxy, CA bundle and credentials. Pure; imports no client."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Route:
    """How one host is reached: a CA bundle for its certificate, a proxy, and credentials.

    `authorization` maps a base URL to the header value that is sent to exactly this base.
    """

    ca_bundle: str | None = None
    proxy: str | None = None
    authorization: Mapping[str, str] = field(default_factory=dict, repr=False)


def base_of(url: str) -> str:
    """Scheme, host and port of a URL, in the form of the keys of `Route.authorization`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address, or the name localhost; resolves nothing."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
