"""Which addresses may be dialled, and for how long: a network backend for httpcore.

httpx has no total deadline and dials whatever a name resolves to. Both are decided here, below the
connection pool, so that no caller can forget them. URLs and bodies are not known here.
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
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

_TRANSLATED = tuple(
    ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96")
)
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")
)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything that this thread dials, writes or reads inside the block, in total."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left(timeout: float | None) -> float | None:
    end = _deadline.get()
    if end is None:
        return timeout
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the total deadline of this request has passed")
    return left if timeout is None else min(timeout, left)


@dataclass(frozen=True)
class AddressPolicy:
    """`loopback_only` refuses everything else; `operator_hosts` may be private or loopback.

    A host that the operator did not configure must resolve to public addresses only. Cloud metadata
    and other link-local addresses are refused for everybody.
    """

    loopback_only: bool = False
    operator_hosts: frozenset[str] = frozenset()

    def refusal(self, host: str, address: str) -> str | None:
        """Why `address` may not be dialled for `host`; None when it may."""
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
        return None if ip.is_global else "it is not a public address"


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves once, checks every address, dials a checked one, and holds the deadline."""

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
        found = _resolve(host, port)
        addresses = list(dict.fromkeys(str(address[0]) for address in found))
        for address in addresses:
            reason = self._policy.refusal(host, address)
            if reason:
                raise RefusedAddress(f"{host} resolves to {address}: {reason}")
        return addresses


def _resolve(host: str, port: int) -> list[tuple[object, ...]]:
    """The addresses of a name. A resolver knows no deadline, so it is left behind at ours."""
    answers: SimpleQueue[list[tuple[object, ...]] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([info[4] for info in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=_left(_RESOLVE_WITHIN))
    except Empty as error:
        raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
    if isinstance(found, Exception):
        raise httpcore.ConnectError(f"cannot resolve {host}: {found}") from found
    return found


class RefusedAddress(httpcore.UnsupportedProtocol):
    """Raised below httpx; `connectors.http.client` turns it into `AddressRefused`."""


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose every wait is cut by the deadline of the request that uses it now."""

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
