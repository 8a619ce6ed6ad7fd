"""Reads an ASGI scope: the client's address, the host that it names, and the query."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serve.api.params import BadParameter, read_query

Scope = MutableMapping[str, Any]  # ASGI's own types
_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def host(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Scheme and host of the request, as the client states them; empty if that is no valid host."""
    host = headers.get(b"host", b"")
    return f"{scope['scheme']}://{host.decode()}" if _HOST.fullmatch(host) else ""


def query(raw: bytes) -> dict[str, bytes]:
    try:
        return read_query(raw[:16_384])  # for the log only, so the rest does not matter
    except BadParameter:
        return {}
