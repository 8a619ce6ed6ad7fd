"""How many connections each address has to this process, and which addresses are not counted."""

from collections import Counter
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

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
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None  # a path of a local socket
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if is_loopback(str(address)) or trusted.strip() == "*":
        return None
    for place in trusted.split(","):
        with suppress(ValueError):  # a name or a path, as uvicorn allows
            if address in ip_network(place.strip(), strict=False):
                return None
    return client_name(str(address))


def is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback
