"""How many connections each address has to this process, and which addresses are not counted."""

from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

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
    if is_loopback(str(address)) or _is_trusted(str(address), trusted):
        return None
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback


def _is_trusted(host: str, trusted: str) -> bool:
    for place in filter(None, map(str.strip, trusted.split(","))):
        if place == "*":
            return True
        try:
            if ip_address(host) in ip_network(place, strict=False):
                return True
        except ValueError:
            continue  # a name or a path, as uvicorn allows
    return False
