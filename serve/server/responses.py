"""Answers as they go over the wire: in few pieces, with an entity tag, compressed once.

An answer depends only on the edition that it was read from and on the request line. So the tag of
the edition is its entity tag, and an answer that was made can be sent again as long as its edition
is the live one.
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
"""Bytes below which a body is not worth compressing."""
_ONE_PIECE = 16_384
"""Bytes below which a body is copied behind its headers, to be sent as one piece."""
_OWN, _VIEW = 1024, 200
"""Bytes of memory: of an answer beside its pieces, and of a piece's own object."""


class Response:
    """An answer, ready to be sent in every encoding that a client may want."""

    __slots__ = ("_cache_control", "_length", "_whole", "answer", "tag")

    def __init__(self, answer: Answer, *, cache_control: str) -> None:
        self.answer = answer
        self._length = sum(map(len, answer.pieces))
        # Weak, because one tag stands for the body in every encoding.
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
        """The body as it goes over the wire."""
        if not kind:
            return self.answer.pieces
        if kind == UNCHANGED:
            return ()
        packed = self.answer.packed.get(kind)
        return (compressed(self.answer.body, kind) if packed is None else packed,)

    @property
    def cost(self) -> int:
        """About how many bytes of memory it holds; views of an edition's file hold none."""
        held = [self.answer.pieces, self.answer.packed.values(), *self._whole.values()]
        # By identity, because an answer and its encodings may share a piece.
        pieces = {id(piece): piece for group in held for piece in group}.values()
        own = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        return _OWN + _VIEW * len(pieces) + own

    def headers(self, kind: str, length: int) -> list[tuple[bytes, bytes]]:
        """The headers of a body of `length` bytes."""
        lines, status = list(self.answer.headers), self.status(kind)
        if self._cache_control:
            lines.append((b"cache-control", self._cache_control))
        if self.tag:
            lines.append((b"etag", self.tag))
        if status in (204, 304):
            return lines
        lines.append((b"content-length", b"%d" % length))
        if self.answer.content_type:
            lines.append((b"content-type", self.answer.content_type))
        if kind:
            lines.append((b"content-encoding", kind.encode()))
        return lines

    def whole(self, kind: str) -> tuple[Piece, ...] | None:
        """The whole answer as it goes over the wire, if it was made before."""
        return self._whole.get(kind)

    def make(self, kind: str, *more: tuple[bytes, bytes]) -> tuple[Piece, ...]:
        """Make and keep that: the status line, then headers and body in one piece or several.
        `more` are additional headers."""
        body = self.body(kind)
        length = sum(map(len, body))
        lines = [b"%b: %b\r\n" % header for header in (*self.headers(kind, length), *more)]
        rest: tuple[Piece, ...] = (b"%b\r\n" % b"".join(lines), *body)
        if length < _ONE_PIECE:
            rest = (b"".join(rest),)
        pieces = self._whole[kind] = (STATUS[self.status(kind)], *rest)
        return pieces


UNCHANGED = "304"
STATUS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def matches(header: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names a tag (compared weakly)."""
    opaque = tag.removeprefix(b"W/")
    tags = (other.strip().removeprefix(b"W/") for other in header.split(b","))
    return any(other in (opaque, b"*") for other in tags)


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer with the edition that it was made of, and the feed and route that it counts for.
    `lasts`: it can be sent again until another edition is live."""

    store: EditionStore
    edition: Edition
    feed: str
    route: str
    wire: Response
    lasts: bool


class ResponseCache:
    """Answers of live editions by request target, bounded in bytes; the oldest are dropped first.

    One thread uses it. Another one may clear it, so that no answer keeps an old edition in memory.
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
        entry = self._found.get(target)
        return entry[0] if entry else None

    def put(self, target: bytes, kept: CachedResponse) -> None:
        """Keep an answer that is not too large, or update the size of one that is kept."""
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
        # Only a flag, because the thread that uses the dictionary may be changing it.
        self._stale = True

    def drop(self, target: bytes) -> None:
        """Forget an answer."""
        before = self._found.pop(target, None)
        if before is not None:
            self._size -= before[1]
