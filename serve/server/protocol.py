"""uvicorn's HTTP protocol with bounds: nobody fills the memory with headers, errors are ours."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serve.api.answers import Answer, problem
from serve.disk import Piece
from serve.server.responses import Response

MAX_HEAD = 65_536
"""Bytes of request line and headers; above it the connection ends with 431."""
MAX_BODY = 1 << 20
"""Bytes behind the headers, which nobody reads; above it the connection ends with 413."""
CHECK_EVERY = 5.0
PATIENCE = 20.0
"""Seconds in which a request must have come whole; else the connection ends with 408."""
SLOWEST = 1024
STUCK = 4
"""A client must read SLOWEST bytes a second; one that does not STUCK times in a row is let go."""
_LONG = 8192
_MOST_WAITING = 32
"""Requests that may wait on one connection for answers to those before them; with more it ends."""
_NOT_PLAIN = frozenset(
    (b"authorization", b"content-length", b"expect", b"transfer-encoding", b"upgrade")
)


class BoundedProtocol(HttpToolsProtocol):
    """Counts the bytes of a request, which its parser does not (trailers of chunks among them),
    and ends connections on which nothing goes on.

    Plain requests for what `App.quick` can answer are answered here, in one write and without a
    task, if nothing else is under way on the connection; all others go the way that uvicorn has
    for them. `fast` turns that off.
    """

    fast = True
    _head = _body = 0
    _in_head = True
    _open = False
    _answered = False
    _accept = _match = b""
    _plain = True
    _length = 0
    _moved = 0.0
    _stuck = 0
    _left = 0
    _checked = 0.0
    _line: tuple[object, bytes] = (None, b"")

    def __init__(self, *arguments: Any, **named: Any) -> None:  # as uvicorn calls it
        super().__init__(*arguments, **named)
        app = self.config.loaded_app
        while not hasattr(app, "quick") and hasattr(app, "app"):
            app = app.app
        self._quick = app.quick if self.fast and getattr(app, "is_quick", False) else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._moved = self.loop.time()
        self._check_later()

    def _check_later(self) -> None:
        self._timer = self.loop.call_later(CHECK_EVERY, self._check)

    def _check(self) -> None:
        """Let go of a client that sends or reads too slowly, or not at all."""
        if self.transport.is_closing() and not self._unsent():
            return
        idle = self.loop.time() - self._moved
        waiting = self._waiting()
        left = self._unsent()
        if left and self._moved > self._checked:
            self._stuck = 0  # whoever asks for more has read what there was
        elif left:
            self._stuck = self._stuck + 1 if self._left - left < SLOWEST * CHECK_EVERY else 0
            if self._stuck >= STUCK:
                self.transport.abort()
                return
        elif self._open and (self._in_head or not waiting) and idle > PATIENCE:
            self._refuse(problem(408, f"the request did not end within {PATIENCE:.0f} seconds"))
            return
        elif not waiting and idle > self.timeout_keep_alive:
            self.transport.close()
            return
        self._left, self._checked = left, self.loop.time()
        self._check_later()

    def _waiting(self) -> bool:
        """Whether a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        else:
            self._body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head > MAX_HEAD:
            self._refuse(problem(431, f"the request's head is longer than {MAX_HEAD} bytes"))
        elif not self._in_head and self._body > MAX_BODY:
            self._refuse(problem(413, f"the request's body is longer than {MAX_BODY} bytes"))

    def on_message_begin(self) -> None:
        self._in_head, self._head, self._body = True, 0, 0
        self._open, self._moved = True, self.loop.time()
        if self._quick is None:
            super().on_message_begin()
            return
        self._answered, self._accept, self._match, self._plain = False, b"", b"", True
        self._length = 0
        self.url, self.headers = b"", []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._length += len(name) + len(value)
        if name == b"accept-encoding":
            self._accept = value
        elif name == b"if-none-match":
            self._match = value
        elif name in _NOT_PLAIN:
            self._plain = False
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.transport.is_closing() or len(self.pipeline) >= _MOST_WAITING:
            self._answered = True
            self.transport.abort()
            return
        if self._quick is not None:
            if self._plain and self._answer():
                return
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
        super().on_headers_complete()

    def _answer(self) -> bool:
        """Answer at once, if nothing speaks against it."""
        if (
            self._quick is None
            or self.parser.get_method() != b"GET"
            or self.parser.get_http_version() != "1.1"
            or not self.parser.should_keep_alive()
            or self._waiting()
            or self.flow.write_paused
            or self._length > _LONG
            or self.transport.is_closing()
        ):
            return False
        found = self._quick(self.url, self._accept, self._match)
        if found is None:
            return False
        self._send(found)
        self._answered = True
        self.server_state.total_requests += 1
        return True

    def _send(self, found: tuple[Piece, ...]) -> None:
        """Write an answer in one piece, with what every answer of uvicorn's says (the date)."""
        headers = self.server_state.default_headers
        if self._line[0] is not headers:
            self._line = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
        status, *rest = found
        if len(rest) == 1:
            self.transport.write(b"".join((status, self._line[1], rest[0])))
        else:
            self.transport.writelines((status, self._line[1], *rest))

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head, self._body = True, 0, 0
        self._open, self._moved = False, self.loop.time()
        if not self._answered:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(problem(400, msg))

    def _refuse(self, answer: Answer) -> None:
        if not self._waiting():  # else it would be taken for the answer to an earlier one
            wire = Response(answer, cache_control="no-store")
            self._send(wire.make("", (b"connection", b"close")))
        self.transport.close()


class PlainProtocol(BoundedProtocol):
    """The same, with every request going the long way."""

    fast = False
