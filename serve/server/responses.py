"""Answers as they go over the wire: one piece of bytes each, with a tag, compressed once.

What an answer says depends on the edition that it was read from and on the request line alone, so
the edition's tag is its entity tag, and an answer that was made can be sent again for as long as
the edition is the live one.
"""

from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus

from serve.api.answers import Answer
from serve.api.editions import EditionStore
from serve.api.encodings import accepted, compressed
from serve.disk import Piece
from serve.edition.edition import Edition

_LEAST = 2048
_ONE_PIECE = 16_384
_OWN, _VIEW = 1024, 200
"""Bytes that an answer takes beside its pieces, and those of a piece that is a view."""


class Response:
    """An answer, ready to be sent in every encoding that a client may want."""

    __slots__ = ("_cache_control", "_length", "_whole", "answer", "tag")

    def __init__(self, answer: Answer, *, cache_control: str) -> None:
        self.answer = answer
        self._length = sum(map(len, answer.pieces))
        self.tag = f'W/"{answer.edition.tag}"'.encode() if answer.edition else b""
        self._cache_control = cache_control.encode()
        self._whole: dict[str, tuple[Piece, ...]] = {}

    def chosen(self, accept: bytes, match: bytes) -> str:
        """What to send: an encoding, empty for none, or 304 if the client has it already."""
        if match and self.tag and matches(match, self.tag):
            return UNCHANGED
        if not accept or self._length < _LEAST:
            return ""
        return accepted(accept)

    def status(self, kind: str) -> int:
        return 304 if kind == UNCHANGED else self.answer.status

    def body(self, kind: str) -> tuple[Piece, ...]:
        """What goes over the wire behind the headers."""
        if not kind:
            return self.answer.pieces
        if kind == UNCHANGED:
            return ()
        packed = self.answer.packed.get(kind)
        return (compressed(self.answer.body, kind) if packed is None else packed,)

    @property
    def cost(self) -> int:
        """Bytes that it holds, about."""
        held = [self.answer.pieces, self.answer.packed.values(), *self._whole.values()]
        pieces = {id(piece): piece for found in held for piece in found}.values()
        own = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        return _OWN + _VIEW * len(pieces) + own

    def headers(self, kind: str, length: int) -> list[tuple[bytes, bytes]]:
        """The headers before a body of so many bytes."""
        found, status = list(self.answer.headers), self.status(kind)
        if self._cache_control:
            found.append((b"cache-control", self._cache_control))
        if self.tag:
            found.append((b"etag", self.tag))
        if status in (204, 304):
            return found
        found.append((b"content-length", b"%d" % length))
        if self.answer.content_type:
            found.append((b"content-type", self.answer.content_type))
        if kind:
            found.append((b"content-encoding", kind.encode()))
        return found

    def whole(self, kind: str) -> tuple[Piece, ...] | None:
        """All that goes over the wire, if it was sent before."""
        return self._whole.get(kind)

    def make(self, kind: str, *more: tuple[bytes, bytes]) -> tuple[Piece, ...]:
        """The same, made: the status line, then headers and body in one piece or several. `more`
        are headers besides its own."""
        body = self.body(kind)
        length = sum(map(len, body))
        lines = [b"%b: %b\r\n" % header for header in (*self.headers(kind, length), *more)]
        rest: tuple[Piece, ...] = (b"%b\r\n" % b"".join(lines), *body)
        if length < _ONE_PIECE:
            rest = (b"".join(rest),)
        found = self._whole[kind] = (STATUS[self.status(kind)], *rest)
        return found


UNCHANGED = "304"
STATUS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def matches(header: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names a tag (compared weakly)."""
    opaque = tag.removeprefix(b"W/")
    found = (part.strip().removeprefix(b"W/") for part in header.split(b","))
    return any(part in (opaque, b"*") for part in found)


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer with the edition that it was made of, and the feed and route that it counts for.
    `lasts` until another edition is live."""

    shelf: EditionStore
    edition: Edition
    feed: str
    route: str
    wire: Response
    lasts: bool


class ResponseCache:
    """Answers of live editions by request target, the oldest go first; bounded in bytes.

    One thread uses it; another one may clear it, so that no edition is held that is not live.
    """

    def __init__(self, limit: int = 24 << 20) -> None:
        self._limit = limit
        self._found: OrderedDict[bytes, tuple[CachedResponse, int]] = OrderedDict()
        self._size = 0
        self._stale = False

    def get(self, target: bytes) -> CachedResponse | None:
        if self._stale:
            self._stale, self._size = False, 0
            self._found.clear()
        found = self._found.get(target)
        return found[0] if found else None

    def put(self, target: bytes, kept: CachedResponse) -> None:
        """Keep an answer that is not too large, or count again what it holds."""
        self.drop(target)
        cost = kept.wire.cost + len(target)
        if cost > self._limit // 16:
            return
        self._found[target] = kept, cost
        self._size += cost
        while self._size > self._limit:
            self.drop(next(iter(self._found)))

    def clear(self) -> None:
        """Forget all answers, before the next one is looked for."""
        self._stale = True

    def drop(self, target: bytes) -> None:
        """Forget an answer."""
        before = self._found.pop(target, None)
        if before is not None:
            self._size -= before[1]
