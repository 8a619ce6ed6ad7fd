"""Which addresses may be dialed, and for how long: a network backend for httpcore.

httpx has no total deadline and dials whatever a name resolves to. Both are checked here, below the
connection pool, so that no caller can forget them. This module knows no URLs and no bodies.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import httpcore

_RESOLVE_WITHIN = 15.0
# A context variable, because httpcore passes no request to the backend.
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

# NAT64, 6to4 and IPv4-compatible: such an IPv6 address can lead to a private IPv4 address.
_TRANSLATED = tuple(
    ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96")
)
# Not for the open internet, whatever the patch level of Python's own table says.
_RESERVED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "::ffff:0:0:0/96",
    )
)
# Metadata services of clouds, which hand out credentials.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")
)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the total time that this thread dials, reads and writes inside the block."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left(timeout: float | None) -> float | None:
    end = _deadline.get()
    if end is None:
        return timeout
    remaining = end - time.monotonic()
    if remaining <= 0:
        raise httpcore.ReadTimeout("the total deadline of this request has passed")
    return remaining if timeout is None else min(timeout, remaining)


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses may be dialed.

    `loopback_only` allows loopback addresses and nothing else. `operator_hosts` may resolve to
    private or loopback addresses. Any other host must resolve to public addresses only. Cloud
    metadata and other link-local addresses are refused for all hosts.
    """

    loopback_only: bool = False
    operator_hosts: frozenset[str] = frozenset()

    def refusal(self, host: str, address: str) -> str | None:
        """Why `address` may not be dialed for `host`; None if it may."""
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if ip.is_loopback:
            if self.loopback_only or host in self.operator_hosts:
                return None
            return "it is a loopback address that no setting names"
        if self.loopback_only:
            return "SUBREGISTRY_OFFLINE allows loopback addresses only"
        if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            return "it is a link-local, metadata or multicast address"
        if host in self.operator_hosts:
            return None
        if any(ip in net for net in _TRANSLATED if net.version == ip.version):
            return "it embeds another address (NAT64, 6to4 or IPv4-compatible)"
        reserved = any(ip in net for net in _RESERVED if net.version == ip.version)
        return None if ip.is_global and not reserved else "it is not a public address"


class GuardedBackend(httpcore.NetworkBackend):
    """Resolve once, check every address, dial a checked one, and keep the deadline."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        # Dial the checked address, not the name: a second lookup may differ (DNS rebinding).
        addresses = self._checked(host, port)
        last: Exception | None = None
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(
                    address, port, _left(timeout), local_address, socket_options
                )
                return _DeadlineStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise httpcore.ConnectError(f"cannot connect to {host}:{port}: {last}") from last

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise httpcore.UnsupportedProtocol("unix sockets are not used")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _checked(self, host: str, port: int) -> list[str]:
        if self._policy.loopback_only and not _literal_or_localhost(host):
            raise RefusedAddress(f"{host}: SUBREGISTRY_OFFLINE allows loopback addresses only")
        infos = _resolve(host, port)
        # One refused address refuses the host, even if others are public.
        addresses = list(dict.fromkeys(str(sockaddr[0]) for sockaddr in infos))
        for address in addresses:
            reason = self._policy.refusal(host, address)
            if reason:
                raise RefusedAddress(f"{host} resolves to {address}: {reason}")
        return addresses


def _resolve(host: str, port: int) -> list[tuple[object, ...]]:
    """The socket addresses of a host name.

    getaddrinfo takes no timeout, so a thread runs it; after our deadline we stop waiting for it.
    """
    answers: SimpleQueue[list[tuple[object, ...]] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([info[4] for info in infos])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(_RESOLVE_WITHIN))
    except Empty as error:
        raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(f"cannot resolve {host}: {answer}") from answer
    return answer


class RefusedAddress(httpcore.UnsupportedProtocol):
    """Raised below httpx; `connectors.http.client` turns it into `AddressRefused`."""


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline of the request that uses it now."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: "httpcore.ssl.SSLContext",  # type: ignore[name-defined]
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


def _literal_or_localhost(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
