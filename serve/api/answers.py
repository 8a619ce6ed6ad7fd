"""Answers as bytes: JSON bodies, problem documents, and the headers that every answer carries."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from serve.disk import Piece
from serve.edition.edition import Edition

Header = tuple[bytes, bytes]

CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Content-Type, Content-Length, ETag, Retry-After"),
    (b"vary", b"Origin, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
)
PREFLIGHT: tuple[Header, ...] = (
    *CORS,
    (b"access-control-allow-methods", b"GET, OPTIONS"),
    (b"access-control-max-age", b"86400"),
)
_HEADERS = re.compile(rb"[\w!#$%&'*+.^`|~, -]{1,1000}")
"""Names of headers, with commas between them."""


def preflight(wanted: bytes | None) -> tuple[Header, ...]:
    """The headers that answer a browser which asks before it sends headers of its own: all may."""
    asked = wanted if wanted and _HEADERS.fullmatch(wanted) else b""
    allowed = asked or b"Authorization, Content-Type, If-None-Match"
    return (*PREFLIGHT, (b"access-control-allow-headers", allowed))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; its body is `pieces`, one after the other.

    `edition` is the edition that the answer was read from; None if the answer depends on anything
    else but the request line. `lasting`: caches may show the answer a little late. `packed` is the
    body by content encoding, where that is ready.
    """

    status: int
    pieces: tuple[Piece, ...]
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = field(default=CORS)
    edition: Edition | None = None
    lasting: bool = False
    packed: Mapping[str, Piece] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def ok(body: bytes, edition: Edition | None = None, *, lasting: bool = False) -> Answer:
    return Answer(200, (body,), edition=edition, lasting=lasting)


def document(value: object, edition: Edition | None = None) -> Answer:
    """Encode any value that msgspec can encode; wrap finished JSON in `msgspec.Raw`."""
    return Answer(200, (msgspec.json.encode(value) + b"\n",), edition=edition)


def problem(
    status: int,
    detail: str,
    *,
    errors: list[dict[str, object]] | None = None,
    headers: tuple[Header, ...] = (),
) -> Answer:
    """A problem document (RFC 9457); `error` repeats the detail for clients of the OpenAPI."""
    value: dict[str, object] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        value["errors"] = errors
    value["error"] = detail
    return Answer(status, (encode(value),), b"application/problem+json", CORS + headers)


def encode(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A text from a client may hold lone surrogates, which UTF-8 cannot encode.
    return text.encode("utf-8", "replace") + b"\n"
