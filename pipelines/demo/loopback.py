"""A small HTTP/1.1 server on 127.0.0.1; one function makes every reply."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Request:
    """`target` is the raw request target, still percent-encoded; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """`cut` closes the connection after this many bytes of the body; `pause` is a wait in seconds
    before the head and before each quarter of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0


class LoopbackServer:
    """Serves `answer` until closed; its `clock` gives the Date header."""

    def __init__(
        self, answer: Callable[[Request], Reply], *, clock: Callable[[], datetime]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Nagle's algorithm and unbuffered writes would delay small replies by a delayed ACK.
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", "0")))
                reply = answer(Request(self.command, self.path, headers, body))
                time.sleep(reply.pause)
                self.send_response_only(reply.status)
                self.send_header("Date", format_datetime(clock(), usegmt=True))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                # The full length also for a cut body: the client must notice the cut.
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self._send_body(reply)
                self.wfile.flush()

            def _send_body(self, reply: Reply) -> None:
                body = reply.body[: reply.cut]
                quarter = len(body) // 4 + 1 if reply.pause else len(body) + 1
                for start in range(0, len(body), quarter):
                    time.sleep(reply.pause)
                    self.wfile.write(body[start : start + quarter])
                    self.wfile.flush()
                self.close_connection = self.close_connection or reply.cut is not None

            do_HEAD = do_POST = do_GET  # noqa: N815 - names that http.server calls

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A short poll interval makes `close` fast; the default waits up to half a second.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
