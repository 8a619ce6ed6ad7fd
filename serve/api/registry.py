"""The HTTP API of a feed: the registry's read routes, and the routing of all other routes.

Routing works on the raw path, because a name may arrive encoded once, twice or not at all. The
registry's routes parse and serialize nothing but the parameters; entries are slices of the edition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import msgspec
import yaml

from serve.api import history, models, schemas
from serve.api.answers import CORS, PREFLIGHT, Answer, document, ok, problem
from serve.api.cursor import CursorBroken, decode
from serve.api.editions import EditionStore
from serve.api.encodings import ENCODINGS, compressed
from serve.api.explain import explain
from serve.api.health import health
from serve.api.openapi import openapi
from serve.api.pages import page, page_of
from serve.api.params import (
    BadParameter,
    beside_prefix,
    read_flag,
    read_instant,
    read_list,
    read_query,
)
from serve.api.search import ranked
from serve.api.targets import explained, spellings, target
from serve.disk import Piece
from serve.edition.edition import Edition
from serve.edition.selection import Selection
from serve.errors import EditionGone, EditionUnknown
from serve.policy.served_feed import ServedFeed
from serve.routes import words

_WRITE_ONLY = (b"publish", b"validate")
_KNOWN = words()
_WRITES = re.compile(
    rb"POST (publish|validate|auth(/.*)?)|(PUT|DELETE) servers/.+/versions/[^/]+"
    rb"|PATCH servers/.+/(versions/[^/]+/)?status"
)
_MAX_TARGET = 16_384
_MAX_CATALOG = 10_000
_NOT_FOUND = "Server not found"

Query = dict[str, bytes]


@dataclass(frozen=True)
class Request:
    """A request below a feed's base path; `path` and `query` are raw, `site` is the address of the
    base path (`https://registry.example.org/feeds/x`)."""

    method: bytes
    path: bytes
    query: bytes
    site: str = ""


class Api:
    """The API of feeds. `version` is that of the software; `skew` and `objective` are seconds."""

    def __init__(self, *, version: str, skew: float, objective: float = 0.0) -> None:
        self._version = version
        self._skew = skew
        self._objective = objective
        self._catalogs: dict[str, Answer] = {}

    def answer(self, request: Request, store: EditionStore) -> Answer | None:
        """Answer a request; None for paths that do not belong to the API.

        Bad requests get an answer too. Raises NoEdition if the feed has nothing to serve.
        """
        method = request.method
        segments = beside_prefix(request.path)
        if method == b"OPTIONS":
            return Answer(204, (), b"", PREFLIGHT)
        if not segments:
            # Who is sent to a feed sees its list; below `/` there is the home page.
            reads = method in (b"GET", b"HEAD")
            return _moved(request) if store.served.prefix and reads else None
        if len(request.path) + len(request.query) > _MAX_TARGET:
            return problem(414, f"the URL is longer than {_MAX_TARGET} bytes")
        if method not in (b"GET", b"HEAD") or segments[0] in _WRITE_ONLY:
            return _write(method, segments)
        if segments[0] not in _KNOWN:
            return None
        if b"%00" in request.path or b"\0" in request.path:
            return problem(400, "the path contains a NUL byte")
        try:
            return self._read(segments, read_query(request.query), request, store)
        except BadParameter as error:
            errors: list[dict[str, object]] = [
                {"message": error.message, "location": error.location, "value": error.value}
            ]
            return problem(error.status, error.detail, errors=errors if error.message else None)
        except CursorBroken as error:
            return problem(400, str(error))
        except EditionUnknown as error:
            return problem(404, str(error))
        except EditionGone as error:
            return problem(410, str(error))

    def _read(
        self, segments: Sequence[bytes], query: Query, request: Request, store: EditionStore
    ) -> Answer | None:
        match segments:
            case [b"servers"]:
                return self._list(query, store)
            case [b"servers", *rest]:
                return _detail(rest, query, _edition(query, store))
            case [b"ping"]:
                return document(models.Ping(pong=True))
            case [b"health"]:
                edition, confirmed = _edition(query, store), store.confirmed()
                return document(health(edition, confirmed, self._objective))
            case [b"version"]:
                built = _edition(query, store).manifest.built_at
                return document(models.Version(self._version, "unknown", built))
            case [b"registry.json"]:
                return self._catalog(_edition(query, store), store.served.name)
            case _:
                return _beside(segments, query, request, store)

    def _catalog(self, edition: Edition, feed: str) -> Answer:
        """Every latest version in one document, for clients that read a file; the last document of
        each feed is kept."""
        catalog = self._catalogs.get(feed)
        # By identity: an edition with other blocks in force is another object.
        if catalog is None or catalog.edition is not edition:
            catalog = self._catalogs[feed] = _catalog(edition)
        return catalog

    def _list(self, query: Query, store: EditionStore) -> Answer:
        wanted = read_list(query, skew=self._skew)
        edition, selection, start = _edition(query, store), wanted.selection, 0
        if selection.since is not None:
            selection = replace(selection, since=store.since(selection.since))
        pinned = edition.manifest.edition if query.get("edition") or query.get("as_of") else None
        began = edition.manifest.sequence
        if wanted.cursor:
            # A cursor of ours carries its filters; one of upstream's is only a position.
            position = decode(wanted.cursor)
            if position.selection is not None and position.sequence is not None:
                selection, pinned, began = position.selection, position.edition, position.sequence
                edition = store.find(pinned) if pinned else store.following(began)
            start = edition.keys.after(position.key)
        answer, _ = page_of(edition, selection, start, wanted.limit, pinned=pinned, began=began)
        pages = store.pages(edition)
        # Stored pages contain the cursors of walks that began in this very edition.
        if pages is not None and pinned is None and began == edition.manifest.sequence:
            answer = replace(answer, packed=pages.at(wanted.limit, selection, start))
        return answer


def _beside(
    segments: Sequence[bytes], query: Query, request: Request, store: EditionStore
) -> Answer | None:
    """Routes beyond the registry's API."""
    match segments:
        case [b"search"]:
            return ranked(query, store)
        case [b"editions", *rest]:
            return history.editions(rest, query, store)
        case [b"changes"]:
            asked = bool(query.get("edition") or query.get("as_of"))
            return history.changes(query, _edition(query, store), store, pinned=asked)
        case [b"changes", name]:
            edition = _edition(query, store)
            return history.syndicated(name, query, edition, store.served.title, request.site)
        case [b"explain", *rest] if rest:
            return explain(*explained(rest), query, _edition(query, store), store)
        case [b"schemas", name]:
            return _schema(name.decode("ascii", "replace"))
        case [b"openapi.json" | b"openapi.yaml" as name]:
            return description(store.served, name)
        case _:
            return None


def _edition(query: Query, store: EditionStore) -> Edition:
    """The edition that `edition` asks for, else `as_of`; without both, the live one."""
    edition, at = query.get("edition", b""), read_instant(query, "as_of")
    if edition:
        return store.find(edition.decode("utf-8", "replace"))
    return store.as_of(at) if at is not None else store.live()


def _moved(request: Request) -> Answer:
    place = f"{request.site}/v0.1/servers".encode()
    query = b"?" + request.query if request.query else b""
    return Answer(307, (), headers=(*CORS, (b"location", place + query)))


def _detail(segments: Sequence[bytes], query: Query, edition: Edition) -> Answer:
    deleted, raw = read_flag(query, "include_deleted"), read_flag(query, "raw")
    name, kind, version = target(segments)
    for spelled in spellings(name):
        if kind == b"versions":
            numbers = [i for i in edition.keys.of(spelled) if deleted or not edition.deleted(i)]
            if numbers:
                published = edition.arrays["published"]
                numbers.sort(key=lambda index: -int(published[index]))
                return page(edition, numbers)
            continue
        for wanted in spellings(version):
            index = (
                edition.latest(spelled)
                if wanted == b"latest"
                else edition.keys.find(spelled, wanted)
            )
            if raw:
                # Records have no `latest`, so take the version that it stands for.
                exact = edition.key(index).partition(b"\0")[2] if index is not None else wanted
                copy = edition.records.raw(spelled, exact, deleted=deleted)
                if copy is not None:
                    return ok(copy + b"\n", edition, lasting=True)
            elif index is not None and (deleted or not edition.deleted(index)):
                pieces: tuple[Piece, ...] = (*edition.listed(edition.places([index])), b"\n")
                return Answer(200, pieces, edition=edition, lasting=True)
    return problem(404, _NOT_FOUND)


def _catalog(edition: Edition) -> Answer:
    numbers = list(edition.select(0, Selection(latest=True)))
    if len(numbers) > _MAX_CATALOG:
        return problem(
            422,
            f"{len(numbers)} servers are too many for one document of {_MAX_CATALOG}; "
            "read /v0.1/servers?version=latest page by page",
        )
    servers = (
        msgspec.json.decode(edition.body(index), type=dict[str, msgspec.Raw])["server"]
        for index in numbers
    )
    body = b'{"servers":[%b]}\n' % b",".join(b'{"server":%b}' % bytes(server) for server in servers)
    packed = {encoding: compressed(body, encoding) for encoding in ENCODINGS}
    return replace(ok(body, edition, lasting=True), packed=packed)


def _schema(name: str) -> Answer | None:
    if name not in schemas.BLOCKS:
        return None
    data = msgspec.json.encode(schemas.block_schema(name))
    return Answer(200, (data,), b"application/schema+json")


@cache
def description(feed: ServedFeed, name: bytes) -> Answer:
    """The OpenAPI document of a feed, as openapi.json or openapi.yaml."""
    value = openapi(feed)
    if name.endswith(b".json"):
        return Answer(200, (msgspec.json.encode(value),))
    text = yaml.safe_dump(value, sort_keys=False)
    return Answer(200, (text.encode(),), b"application/yaml")


def _write(method: bytes, segments: Sequence[bytes]) -> Answer | None:
    """The answer to a request that does not read; None for unknown paths."""
    if _WRITES.fullmatch(b"%b %b" % (method, b"/".join(segments))):
        return problem(501, "This registry is read only: publish to the upstream registry.")
    if segments[0] in _WRITE_ONLY:
        return other_method(b"POST, OPTIONS")
    return other_method(b"GET, HEAD, OPTIONS") if segments[0] in _KNOWN else None


def other_method(allowed: bytes) -> Answer:
    """405 for a method that a route does not support."""
    detail = f"This route answers {allowed.decode()}."
    return problem(405, detail, headers=((b"allow", allowed),))
