"""Answers as they go over the wire: one piece of bytes each, with a tag, compressed once.

What an answer says depends on the edition that it was read from and on the request line alone, so
the edition's tag is its entity tag, and an answer that was made can be sent again for as long as
the edition is the live one.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from http import HTTPStatus

from serve.answers import Answer
from serve.edition import Edition
from serve.encodings import accepted, compressed
from serve.shelf import Shelf

_LEAST = 2048


class Wire:
    """An answer, ready to be sent in every encoding that a client may want."""

    def __init__(self, answer: Answer, *, cache_control: str) -> None:
        self.answer = answer
        self._length = len(answer.body)
        self.tag = f'W/"{answer.edition.tag}"'.encode() if answer.edition else b""
        self._cache_control = cache_control.encode()
        self._packed: dict[str, bytes] = dict(answer.packed)
        self._heads: dict[str, bytes] = {}
        self.grew = False

    def chosen(self, accept: bytes, match: bytes) -> str:
        """What to send: an encoding, empty for none, or 304 if the client has it already."""
        if match and self.tag and matches(match, self.tag):
            return UNCHANGED
        if not accept or self._length < _LEAST:
            return ""
        return accepted(accept)

    def status(self, kind: str) -> int:
        return 304 if kind == UNCHANGED else self.answer.status

    def body(self, kind: str) -> bytes:
        if not kind:
            answer = self.answer
            return answer.again() if answer.again and not answer.body else answer.body
        if kind == UNCHANGED:
            return b""
        if kind not in self._packed:
            self._packed[kind] = compressed(self.body(""), kind)
            self.grew = True
        return self._packed[kind]

    def slim(self) -> None:
        """Let go of the body, if it can be made again."""
        if self.answer.again is not None:
            self.answer = replace(self.answer, body=b"")
        self.grew = False

    @property
    def cost(self) -> int:
        """Bytes that it holds, about."""
        return 4096 + len(self.answer.body) + sum(map(len, self._packed.values()))

    def headers(self, kind: str) -> list[tuple[bytes, bytes]]:
        found, status = list(self.answer.headers), self.status(kind)
        if self._cache_control:
            found.append((b"cache-control", self._cache_control))
        if self.tag:
            found.append((b"etag", self.tag))
        if status in (204, 304):
            return found
        found.append((b"content-length", b"%d" % len(self.body(kind))))
        if self.answer.content_type:
            found.append((b"content-type", self.answer.content_type))
        if kind:
            found.append((b"content-encoding", kind.encode()))
        return found

    def head(self, kind: str) -> bytes:
        """The status line and headers, without the line that ends them."""
        if kind not in self._heads:
            lines = [b"%b: %b\r\n" % header for header in self.headers(kind)]
            self._heads[kind] = STATUS[self.status(kind)] + b"".join(lines)
        return self._heads[kind]


UNCHANGED = "304"
STATUS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def matches(header: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names a tag (compared weakly)."""
    opaque = tag.removeprefix(b"W/")
    found = (part.strip().removeprefix(b"W/") for part in header.split(b","))
    return any(part in (opaque, b"*") for part in found)


@dataclass(frozen=True)
class Kept:
    """An answer with the edition that it was made of, and the feed and route that it counts for."""

    shelf: Shelf
    edition: Edition
    route: str
    wire: Wire


class WireCache:
    """Answers of live editions by request target, the oldest go first; bounded in bytes."""

    def __init__(self, limit: int = 24 << 20) -> None:
        self._limit = limit
        self._found: OrderedDict[bytes, tuple[Kept, int]] = OrderedDict()
        self._size = 0

    def get(self, target: bytes) -> Kept | None:
        found = self._found.get(target)
        return found[0] if found else None

    def put(self, target: bytes, kept: Kept) -> None:
        """Keep an answer, or count anew what it holds."""
        self.drop(target)
        kept.wire.slim()
        cost = kept.wire.cost + len(target)
        self._found[target] = kept, cost
        self._size += cost
        while self._size > self._limit:
            self.drop(next(iter(self._found)))

    def drop(self, target: bytes) -> None:
        """Forget an answer."""
        before = self._found.pop(target, None)
        if before is not None:
            self._size -= before[1]
