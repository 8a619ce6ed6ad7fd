"""How many connections each address has to this process, and which addresses are not counted."""

from collections import Counter
from functools import lru_cache
from ipaddress import ip_address, ip_network

from serve.server.access import client_name

MOST_OF_ONE = 256
"""Connections of one address; an IPv6 client counts by its network of 64 bits."""

_connections: Counter[str] = Counter()


def enter(name: str) -> int:
    """Count a connection; return how many there are now."""
    _connections[name] += 1
    return _connections[name]


def leave(name: str) -> None:
    _connections[name] -= 1
    if not _connections[name]:
        del _connections[name]


@lru_cache(maxsize=4096)
def counted_as(host: str, trusted: str) -> str | None:
    """The name under which an address is counted; None for loopback and for trusted proxies, behind
    which there are many clients. `trusted` are addresses and networks with commas between, or *."""
    name = client_name(host.partition("%")[0])
    try:
        network = ip_network(name)
    except ValueError:
        return None  # a path of a local socket
    if is_loopback(host) or trusted.strip() == "*":
        return None
    for place in trusted.split(","):
        try:
            known = ip_network(place.strip(), strict=False)
        except ValueError:
            continue  # a name or a path, as uvicorn allows
        if known.version == network.version and known.overlaps(network):
            return None
    return name


def is_loopback(host: str) -> bool:
    return ip_address(host.partition("%")[0]).is_loopback
