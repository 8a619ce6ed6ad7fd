"""The ASGI application of the server: feeds by base path; the API first, then the home page.

It opens editions only. It sees a switch within a fraction of a second, and answers each request
from one edition from beginning to end.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path

from serve.api.answers import PREFLIGHT, Answer, preflight, problem
from serve.api.editions import EditionStore
from serve.api.params import beside_prefix
from serve.api.registry import Api, Request, other_method
from serve.disk import Piece
from serve.errors import NoEdition, ServeError
from serve.feed.feed import VISIBLE_WITHIN
from serve.policy.served_feed import ServedFeed
from serve.routes import words
from serve.server import accesslog
from serve.server.access import AccessControl
from serve.server.follow import following
from serve.server.home import home_routes, no_route
from serve.server.live_editions import LOOK_EVERY, LiveEditions
from serve.server.metrics import Metrics, route_of
from serve.server.responses import CachedResponse, Response, ResponseCache
from serve.server.scope import Receive, Scope, Send, address, host, query

log = logging.getLogger(__name__)
_UNREADABLE = "The feed cannot be read now; its operator finds the reason in the log."

NO_CONTENT = Answer(204, (), b"", PREFLIGHT)
HOME = Answer(200, (), b"text/html")
"""Stands for the home page, which Starlette has sent already."""

LASTING = 60.0
"""Seconds for which caches may show an answer late; `updated_since` looks back as much further."""
_HOT, _SLOW = words(hot=True), words(slow=True)
_SLOW_AT_ONCE = 2
_MAX_HEADERS = 32_768


class App:
    """Feeds by base path, the longest first. Without a guard there are no keys and no rate limit.

    `site` is the address that readers use, for links; by default that of the request. `lasting` is
    for how many seconds caches may show an answer late.
    """

    def __init__(
        self,
        stores: Sequence[EditionStore],
        *,
        skew: float,
        guard: AccessControl | None = None,
        site: str = "",
        lasting: float = 0.0,
        metrics: Metrics | None = None,
        objective: float = 0.0,
    ) -> None:
        self._stores = sorted(stores, key=lambda store: -len(store.served.prefix))
        self._api = Api(
            version=installed_version("subregistry"), skew=skew + lasting, objective=objective
        )
        self._guard = guard
        self._site = site.rstrip("/")
        self._lasting = lasting
        self._metrics = metrics
        self._cache = ResponseCache()
        self._slow = asyncio.Semaphore(_SLOW_AT_ONCE)
        self._pages = home_routes([store.served for store in self._stores], self._followed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._pages(scope, receive, send)
            return
        began = time.perf_counter()
        path, headers = scope["raw_path"].partition(b"?")[0], dict(scope["headers"])
        store, rest = self._route(path)
        key, answer = None, None
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADERS:
                answer = problem(431, f"the headers are longer than {_MAX_HEADERS} bytes")
            elif self._metrics and rest == b"/metrics" and path == b"/metrics":
                read = scope["method"] in ("GET", "HEAD")
                answer = self._metrics.answer() if read else other_method(b"GET, HEAD")
            elif store is not None:
                key, answer = await self._answer(store, rest, scope, headers)
        except ServeError as error:
            log.warning("not answered path=%s error=%s", accesslog.masked(path, 200), error)
            # Other errors name files and remedies of the operator.
            detail = str(error) if isinstance(error, NoEdition) else _UNREADABLE
            answer = problem(503, detail, headers=((b"retry-after", b"60"),))
        except Exception:
            log.exception("a defect path=%s", accesslog.masked(path, 200))
            answer = problem(500, "This is a defect of the server; its log says more.")
        if answer is None and rest in (b"", b"/") and path.strip(b"/") == b"":
            answer = await self._home(scope, receive, send)
        elif answer is None:
            preflight = scope["method"] == "OPTIONS"
            answer = NO_CONTENT if preflight else problem(404, self._no_route(path, store))
        status, size = answer.status, 0
        if answer is not HOME:
            wire = self._wire(_allowing(answer, headers), store)
            status, size = await _send(wire, scope, headers, send)
        took = time.perf_counter() - began
        if self._metrics and store:
            self._metrics.count(store.served.name, route_of(beside_prefix(rest)), status, took)
        accesslog.write(
            accesslog.RequestRecord(
                feed=store.served.name if store else None,
                method=scope["method"],
                path=path,
                query=query(scope["query_string"]),
                status=status,
                size=size,
                ms=took * 1000,
                client=address(scope),
                key=key,
                agent=headers.get(b"user-agent", b""),
            )
        )

    def quick(self, target: bytes, accept: bytes, match: bytes) -> tuple[Piece, ...] | None:
        """The whole answer to a plain GET on the hot routes, as `__call__` gives it; None if the
        request is not that simple. Answers that were made before are sent again."""
        try:
            kept = self._cache.get(target)
            if kept is not None and kept.edition is kept.store.live():
                kind = kept.wire.chosen(accept, match)
                pieces = kept.wire.whole(kind)
                if pieces is not None:
                    if self._metrics:
                        self._metrics.count_again(kept.feed, kept.route, kept.wire.status(kind))
                    return pieces
            else:
                kept = None
            return self._made(target, kept, accept, match)
        except Exception:  # noqa: BLE001 - whatever it is, `__call__` answers and logs it
            return None

    @property
    def is_quick(self) -> bool:
        """Whether `quick` may be used: not if requests are logged or counted by client."""
        return not accesslog.is_open() and (self._guard is None or not self._guard.counts)

    def _made(
        self, target: bytes, kept: CachedResponse | None, accept: bytes, match: bytes
    ) -> tuple[Piece, ...] | None:
        """The same for an answer that is not cached, or not in this encoding."""
        began = time.perf_counter()
        kept = kept or self._answered(target)
        if kept is None:
            return None
        kind = kept.wire.chosen(accept, match)
        pieces = kept.wire.make(kind)
        if kept.lasts:
            self._cache.put(target, kept)
        if self._metrics:
            took = time.perf_counter() - began
            self._metrics.count(kept.feed, kept.route, kept.wire.status(kind), took)
        return pieces

    def _answered(self, target: bytes) -> CachedResponse | None:
        """Make the answer to a target of the hot routes; None for other targets."""
        if b"#" in target or not target.isascii():
            return None
        path, _, query = target.partition(b"?")
        store, rest = self._route(path)
        if store is None or store.served.access == "key":
            return None
        segments = beside_prefix(rest)
        if not segments or segments[0] not in _HOT:
            return None
        live = store.live()  # before the answer: if a switch comes between, it does not last
        answer = self._api.answer(Request(b"GET", rest, query), store)
        if answer is None:
            return None
        lasts, wire = answer.edition is live, self._wire(answer, store)
        return CachedResponse(store, live, store.served.name, route_of(segments), wire, lasts)

    def _wire(self, answer: Answer, store: EditionStore | None) -> Response:
        """An answer with its Cache-Control header."""
        if answer.edition is None:
            caching = "no-store"
        elif not answer.lasting or not self._lasting:
            caching = "no-cache"
        else:
            age = int(self._lasting / 4)
            late = int(self._lasting) - age
            caching = f"max-age={age}, stale-while-revalidate={late}"
        if answer.edition is not None:
            locked = store is not None and store.served.access == "key"
            caching = f"{'private' if locked else 'public'}, {caching}"
        return Response(answer, cache_control=caching)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        live = [store for store in self._stores if isinstance(store, LiveEditions)]
        with following(live, self._metrics, changed=self._cache.clear):
            yield

    async def _home(self, scope: Scope, receive: Receive, send: Send) -> Answer:
        """Send the home page and return HOME; the caller must send any other answer."""
        if scope["method"] == "OPTIONS":
            return NO_CONTENT
        if scope["method"] not in ("GET", "HEAD"):
            return other_method(b"GET, HEAD, OPTIONS")
        await self._pages({**scope, "path": "/", "raw_path": b"/"}, receive, send)
        return HOME

    async def _answer(
        self, store: EditionStore, rest: bytes, scope: Scope, headers: dict[bytes, bytes]
    ) -> tuple[str | None, Answer | None]:
        """The ID of the client's key, and the answer; a slow answer is made in a thread."""
        key = None
        if self._guard is not None and scope["method"] != "OPTIONS":
            key, refused = self._guard.admit(store.served, rest, headers, address(scope))
            if refused is not None:
                return key, refused
        request = Request(
            scope["method"].encode(),
            rest,
            scope["query_string"],
            (self._site or host(scope, headers)) + store.served.prefix.decode(),
        )
        segments = beside_prefix(rest)
        if not segments or segments[0] not in _SLOW:
            return key, self._api.answer(request, store)
        async with self._slow:
            return key, await asyncio.to_thread(self._api.answer, request, store)

    def _no_route(self, path: bytes, store: EditionStore | None) -> str:
        feeds = [each.served for each in self._stores]
        return no_route(path, store.served if store else None, feeds)

    def _route(self, path: bytes) -> tuple[EditionStore | None, bytes]:
        """The feed that a path belongs to, if any, and the path relative to its base."""
        tidy = b"/" + b"/".join(segment for segment in path.split(b"/") if segment)
        for store in self._stores:
            prefix = store.served.prefix
            if tidy == prefix or tidy.startswith(prefix + b"/"):
                return store, tidy[len(prefix) :]
        return None, tidy


def build_app(
    feed_root: Path,
    feeds: Sequence[ServedFeed],
    *,
    skew: float,
    per_minute: int,
    site: str,
    metrics: Metrics | None = None,
    objective: float = 0.0,
) -> App:
    """Build the application for the editions below `feed_root`.

    `skew` (seconds) grows by the time until readers see an edition, for `updated_since`.
    """
    return App(
        [LiveEditions(feed_root, served) for served in feeds],
        skew=skew + VISIBLE_WITHIN.total_seconds() + LOOK_EVERY,
        guard=AccessControl(feed_root, per_minute=per_minute),
        site=site,
        lasting=LASTING,
        metrics=metrics,
        objective=objective,
    )


def _allowing(answer: Answer, headers: dict[bytes, bytes]) -> Answer:
    """The answer to a preflight with the headers that were asked for."""
    if answer.headers is not PREFLIGHT:
        return answer
    return replace(answer, headers=preflight(headers.get(b"access-control-request-headers")))


async def _send(
    wire: Response, scope: Scope, headers: dict[bytes, bytes], send: Send
) -> tuple[int, int]:
    """Send an answer; returns its status and the size of its body in bytes."""
    kind = wire.chosen(headers.get(b"accept-encoding", b""), headers.get(b"if-none-match", b""))
    status, body = wire.status(kind), b"".join(wire.body(kind))
    lines = wire.headers(kind, len(body))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    body = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": body})
    return status, len(body)
