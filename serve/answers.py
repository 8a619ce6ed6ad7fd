"""Answers as bytes: JSON bodies, problem documents, and the headers that every answer carries."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

Header = tuple[bytes, bytes]

CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Content-Type, Content-Length"),
    (b"vary", b"Origin"),
)
PREFLIGHT: tuple[Header, ...] = (
    *CORS,
    (b"access-control-allow-methods", b"GET, OPTIONS"),
    (b"access-control-allow-headers", b"Authorization, Content-Type"),
    (b"access-control-max-age", b"86400"),
)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = field(default=CORS)


def ok(body: bytes) -> Answer:
    return Answer(200, body)


def document(value: object) -> Answer:
    """Any value that msgspec encodes; `msgspec.Raw` for JSON that is ready."""
    return Answer(200, msgspec.json.encode(value) + b"\n")


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
    return Answer(status, encode(value), b"application/problem+json", CORS + headers)


def encode(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"
