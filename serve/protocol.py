"""uvicorn's HTTP protocol with bounds: nobody fills the memory with headers, errors are ours."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.answers import Answer, problem

MAX_HEAD = 65_536
"""Bytes of request line and headers; above it the connection ends with 431."""
MAX_BODY = 1 << 20
"""Bytes behind the headers, which nobody reads; above it the connection ends with 413."""


class BoundedProtocol(HttpToolsProtocol):
    """Counts the bytes of a request, which its parser does not (trailers of chunks among them)."""

    _head = _body = 0
    _in_head = True

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
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head, self._body = True, 0, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(problem(400, msg))

    def _refuse(self, answer: Answer) -> None:
        lines = [b"HTTP/1.1 %d %b" % (answer.status, _PHRASES[answer.status])]
        lines += [b"%b: %b" % header for header in answer.headers]
        lines += [b"content-type: " + answer.content_type, b"connection: close"]
        lines += [b"content-length: %d" % len(answer.body), b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


_PHRASES = {400: b"Bad Request", 413: b"Content Too Large", 431: b"Request Header Fields Too Large"}
