"""The registry's read API over an edition: routes, lists, versions, details.

Routing works on the raw path, since a name may come encoded once, twice or not at all. Nothing is
parsed or serialised but the parameters; entries are slices of the edition.
"""

import re
from collections.abc import Sequence
from itertools import islice
from urllib.parse import unquote_to_bytes

from serve.answers import PREFLIGHT, Answer, document, encode, ok, problem
from serve.cursor import CursorBroken, decode
from serve.cursor import encode as encode_cursor
from serve.edition import Edition, Selection
from serve.params import BadParameter, read_include_deleted, read_list, read_query

_PREFIXES = (b"v0.1", b"v0")
_WRITES = re.compile(
    rb"POST (publish|validate|auth(/.*)?)|(PUT|DELETE) servers/.+/versions/[^/]+"
    rb"|PATCH servers/.+/(versions/[^/]+/)?status"
)
_MAX_TARGET = 16_384
_NOT_FOUND = "Server not found"


class Api:
    """The read API of one feed. `version` is what /version says of the software."""

    def __init__(self, *, version: str, skew: float) -> None:
        self._version = version
        self._skew = skew

    def answer(self, method: bytes, path: bytes, query: bytes, edition: Edition) -> Answer | None:
        """Answer a request below the feed's base path; None for paths that are not the API's.

        `path` is raw, without the base path. Never raises for what a client sends.
        """
        segments = [segment for segment in path.split(b"/") if segment]
        if segments and segments[0] in _PREFIXES:
            segments = segments[1:]
        if method == b"OPTIONS":
            return Answer(204, b"", b"", PREFLIGHT)
        if not segments:
            return None
        if len(path) + len(query) > _MAX_TARGET:
            return problem(414, f"the URL is longer than {_MAX_TARGET} bytes")
        known = segments[0] in (b"servers", b"health", b"ping", b"version")
        if method not in (b"GET", b"HEAD"):
            return _write(method, segments, known=known)
        if not known or (len(segments) > 1 and segments[0] != b"servers"):
            return None
        if b"%00" in path or b"\0" in path:
            return problem(400, "the path contains a NUL byte")
        try:
            return self._read(segments, query, edition)
        except BadParameter as error:
            errors: list[dict[str, object]] = [
                {"message": error.said, "location": error.location, "value": error.value}
            ]
            return problem(error.status, error.detail, errors=errors if error.said else None)
        except CursorBroken as error:
            return problem(400, str(error))

    def _read(self, segments: Sequence[bytes], query: bytes, edition: Edition) -> Answer:
        match segments:
            case [b"ping"]:
                return document({"pong": True})
            case [b"version"]:
                built = edition.manifest.built_at.isoformat()
                return document(
                    {"version": self._version, "git_commit": "unknown", "build_time": built}
                )
            case [b"health"]:
                return document(health(edition))
            case [b"servers"]:
                return self._list(read_query(query), edition)
            case _:
                return self._detail(segments[1:], read_query(query), edition)

    def _list(self, query: dict[str, bytes], edition: Edition) -> Answer:
        wanted = read_list(query, skew=self._skew)
        selection, start = wanted.selection, 0
        if wanted.cursor:
            position = decode(wanted.cursor)
            selection = position.selection or selection
            start = edition.after(position.key)
        found = list(islice(edition.select(start, selection), wanted.limit))
        full = len(found) == wanted.limit
        return _page(edition, found, selection if full else None)

    def _detail(
        self, segments: Sequence[bytes], query: dict[str, bytes], edition: Edition
    ) -> Answer:
        deleted = read_include_deleted(query)
        name, kind, version = _target(segments)
        for spelled in _spellings(name):
            if kind == b"versions":
                found = [i for i in edition.versions(spelled) if deleted or not edition.deleted(i)]
                if found:
                    published = edition.arrays["published"]
                    found.sort(key=lambda index: -int(published[index]))
                    return _page(edition, found, None)
                continue
            for wanted in _spellings(version):
                index = (
                    edition.latest(spelled)
                    if wanted == b"latest"
                    else edition.find(spelled, wanted)
                )
                if index is not None and (deleted or not edition.deleted(index)):
                    return ok(edition.body(index) + b"\n")
        return problem(404, _NOT_FOUND)


def health(edition: Edition) -> dict[str, object]:
    """What /health says: the live edition and when it went live."""
    manifest = edition.manifest
    published = manifest.published_at
    return {
        "status": "ok",
        "feed": manifest.feed,
        "edition": manifest.edition,
        "sequence": manifest.sequence,
        "publishedAt": published.isoformat() if published else None,
        "entries": manifest.entries,
    }


def _page(edition: Edition, found: list[int], goes_on: Selection | None) -> Answer:
    metadata: dict[str, object] = {"count": len(found)}
    if goes_on is not None and found:
        cursor = encode_cursor(edition.key(found[-1]), goes_on)
        metadata = {"nextCursor": cursor, "count": len(found)}
    servers = b",".join(map(edition.body, found))
    return ok(b'{"servers":[%b],"metadata":%b}\n' % (servers, encode(metadata)[:-1]))


def _target(segments: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """(name, kind, version) of a path below /servers; a name alone asks for its latest version."""
    if len(segments) >= 2 and segments[-1] == b"versions":
        name = b"/".join(segments[:-1])
        if _has_slash(name):
            return name, b"versions", b""
    if len(segments) >= 3 and segments[-2] == b"versions":
        name = b"/".join(segments[:-2])
        if _has_slash(name):
            return name, b"version", segments[-1]
    return b"/".join(segments), b"version", b"latest"


def _has_slash(name: bytes) -> bool:
    return any(b"/" in spelled for spelled in _spellings(name))


def _spellings(raw: bytes) -> list[bytes]:
    """A path segment decoded once, and twice where that differs."""
    once = unquote_to_bytes(raw)
    twice = unquote_to_bytes(once)
    return [once] if once == twice else [once, twice]


def _write(method: bytes, segments: Sequence[bytes], *, known: bool) -> Answer | None:
    if _WRITES.fullmatch(b"%b %b" % (method, b"/".join(segments))):
        return problem(501, "This registry is read only: publish to the upstream registry.")
    return read_only_route() if known else None


def read_only_route() -> Answer:
    allow = ((b"allow", b"GET, HEAD, OPTIONS"),)
    return problem(405, "This route answers GET, HEAD and OPTIONS.", headers=allow)
