"""uvicorn's HTTP protocol with limits on size and time, and with our own error answers."""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serve.api.answers import Answer, problem
from serve.disk import Piece
from serve.routes import RESERVED, VERSIONS
from serve.server.crowd import MOST_OF_ONE, counted_as, enter, leave
from serve.server.responses import Response

log = logging.getLogger(__name__)

MAX_HEAD = 65_536
"""Bytes of request line and headers; above it the connection ends with 431."""
MAX_BODY = 1 << 20
"""Bytes after the headers, which no route reads; above it the connection ends with 413."""
CHECK_EVERY = 5.0
PATIENCE = 20.0
"""Seconds in which a request must arrive completely; else the connection ends with 408."""
SLOWEST = 1024
STUCK = 4
"""A client must read SLOWEST bytes a second; after STUCK checks in a row without, it is cut off."""
_LONG = 8192
_MOST_WAITING = 32
"""Requests that may wait on one connection for earlier answers; with more the connection ends."""
_NOT_PLAIN = frozenset(
    (b"authorization", b"content-length", b"expect", b"transfer-encoding", b"upgrade")
)


class BoundedProtocol(HttpToolsProtocol):
    """Counts the bytes of a request, which uvicorn's parser does not do (trailers of chunks
    included), and ends connections without progress.

    If `App.quick` can answer a plain request, and nothing else is in progress on the connection,
    the answer is sent here, in one write and without a task; all other requests take uvicorn's own
    way. `fast = False` turns that off.
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
    _began = False
    _counted: str | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:  # as uvicorn calls it
        super().__init__(*arguments, **named)
        app = self.config.loaded_app  # uvicorn may have wrapped ours in middleware
        while not hasattr(app, "quick") and hasattr(app, "app"):
            app = app.app
        self._quick = app.quick if self.fast and getattr(app, "is_quick", False) else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._moved = self.loop.time()
        self._check_later()
        trusted = self.config.forwarded_allow_ips
        names = trusted if isinstance(trusted, str) else ",".join(trusted or ())
        self._counted = counted_as(self.client[0], names) if self.client else None
        if self._counted is not None and enter(self._counted) > MOST_OF_ONE:
            log.warning("refused a connection: more than %s of %s", MOST_OF_ONE, self._counted)
            message = f"your address has {MOST_OF_ONE} connections already; close some"
            self._refuse(problem(503, message, headers=((b"retry-after", b"10"),)))

    def _check_later(self) -> None:
        self._timer = self.loop.call_later(CHECK_EVERY, self._check)

    def _check(self) -> None:
        """End the connection of a client that sends or reads too slowly, or not at all."""
        if self.transport.is_closing() and not self._unsent():
            return
        idle = self.loop.time() - self._moved
        waiting = self._waiting()
        left = self._unsent()
        if left and self._moved > self._checked:
            self._stuck = 0  # a client that asks again does read
        elif left:
            self._stuck = self._stuck + 1 if self._left - left < SLOWEST * CHECK_EVERY else 0
            if self._stuck >= STUCK:
                self.transport.abort()
                return
        elif self._open and (self._in_head or not waiting) and idle > PATIENCE:
            self._refuse(problem(408, f"the request did not end within {PATIENCE:.0f} seconds"))
            return
        elif not waiting and idle > (self.timeout_keep_alive if self._began else PATIENCE):
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
        if self._counted is not None:
            leave(self._counted)
            self._counted = None
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
        self._open, self._moved, self._began = True, self.loop.time(), True
        if self._quick is None:
            super().on_message_begin()
            return
        # uvicorn makes its scope here; that can wait until we know that it is needed.
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
            # uvicorn resets these now, and its new scope shares the new list of headers.
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
        # Whoever watches the server must hear from it, however many connections there are.
        watched = _is_watched(self.url)
        self.limit_concurrency = None if watched else self.config.limit_concurrency
        super().on_headers_complete()

    def _answer(self) -> bool:
        """Answer at once if that is possible; returns whether it did."""
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
        pieces = self._quick(self.url, self._accept, self._match)
        if pieces is None:
            return False
        self._send(pieces)
        self._answered = True
        self.server_state.total_requests += 1
        return True

    def _send(self, pieces: tuple[Piece, ...]) -> None:
        """Write an answer at once, with the headers of all uvicorn answers (such as the date)."""
        headers = self.server_state.default_headers
        # uvicorn makes a new list when the date changes, so identity is enough to compare.
        if self._line[0] is not headers:
            self._line = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
        status, *rest = pieces
        if len(rest) == 1:
            self.transport.write(b"".join((status, self._line[1], rest[0])))
        else:
            self.transport.writelines((status, self._line[1], *rest))

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # uvicorn resumes reading after each answer; while requests wait, accept no more of them.
        if self.pipeline:
            self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        if not self._answered:  # else uvicorn's cycle is that of an earlier request
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head, self._body = True, 0, 0
        self._open, self._moved = False, self.loop.time()
        if not self._answered:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(problem(400, msg))

    def _refuse(self, answer: Answer) -> None:
        if not self._waiting():  # else it would look like an earlier answer
            wire = Response(answer, cache_control="no-store")
            self._send(wire.make("", (b"connection", b"close")))
        self.transport.close()


def _is_watched(target: bytes) -> bool:
    """Whether a request target is /ping or /health of the server or of a feed."""
    *base, word = [part for part in target.partition(b"?")[0].split(b"/") if part] or [b""]
    if word not in (b"ping", b"health"):
        return False
    if base and base[-1].decode("latin-1") in VERSIONS:
        base.pop()
    # No feed is below a word of the API, and a feed's path is short.
    return len(base) <= 4 and not (base and base[0].decode("latin-1") in RESERVED)


class PlainProtocol(BoundedProtocol):
    """The same, but uvicorn handles every request."""

    fast = False
