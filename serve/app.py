"""The server process: feeds by base path, the API first, a page for people beside it.

An ASGI application. It opens editions only; a switch is seen within a fraction of a second, and a
request is answered from one edition from beginning to end.
"""

import html
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as PageRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serve import accesslog
from serve.answers import CORS, PREFLIGHT, Answer, problem
from serve.api import Api, Request, other_method
from serve.errors import ServeError
from serve.feed import VISIBLE_WITHIN, Feed, ServedFeed
from serve.guard import Guard
from serve.params import BadParameter, read_query
from serve.policy import read_policies
from serve.shelf import LOOK_EVERY, LiveShelf, Shelf

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]  # ASGI's own types
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NO_CONTENT = Answer(204, b"", b"", PREFLIGHT)
HOME = Answer(200, b"", b"text/html")
"""Stands for the page for people, which is sent by Starlette."""

_MAX_HEADERS = 32_768
_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")


class App:
    """Feeds by base path, the longest first. Without a guard everybody may ask, as often as ever.

    `site` is the address that readers use, for links; without it that of the request is taken.
    """

    def __init__(
        self, shelves: Sequence[Shelf], *, skew: float, guard: Guard | None = None, site: str = ""
    ) -> None:
        self._shelves = sorted(shelves, key=lambda shelf: -len(shelf.served.prefix))
        self._api = Api(version=installed_version("subregistry"), skew=skew)
        self._guard = guard
        self._site = site.rstrip("/")
        self._pages = _pages([shelf.served for shelf in self._shelves])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._pages(scope, receive, send)
            return
        began = time.perf_counter()
        path, headers = scope["raw_path"].partition(b"?")[0], dict(scope["headers"])
        shelf, rest = self._route(path)
        key, answer = None, None
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADERS:
                answer = problem(431, f"the headers are longer than {_MAX_HEADERS} bytes")
            elif shelf is not None:
                key, answer = self._answer(shelf, rest, scope, headers)
        except ServeError as error:
            log.warning("not answered path=%s error=%s", path[:200], error)
            answer = problem(503, f"{error}", headers=((b"retry-after", b"60"),))
        except Exception:
            log.exception("a defect path=%s", path[:200])
            answer = problem(500, "This is a defect of the server; its log says more.")
        if answer is None and rest in (b"", b"/") and path.strip(b"/") == b"":
            answer = await self._home(scope, receive, send)
        elif answer is None:
            preflight = scope["method"] == "OPTIONS"
            answer = NO_CONTENT if preflight else problem(404, _no_route(path))
        if answer is not HOME:
            await _send(answer, scope, send)
        accesslog.write(
            accesslog.Asked(
                feed=shelf.served.name if shelf else None,
                method=scope["method"],
                path=path,
                query=_query(scope["query_string"]),
                status=answer.status,
                size=len(answer.body),
                ms=(time.perf_counter() - began) * 1000,
                client=_address(scope),
                key=key,
                agent=headers.get(b"user-agent", b""),
            )
        )

    async def _home(self, scope: Scope, receive: Receive, send: Send) -> Answer:
        """Send the page for people; anything but HOME is still to be sent."""
        if scope["method"] == "OPTIONS":
            return NO_CONTENT
        if scope["method"] not in ("GET", "HEAD"):
            return other_method(b"GET, HEAD, OPTIONS")
        await self._pages({**scope, "path": "/", "raw_path": b"/"}, receive, send)
        return HOME

    def _answer(
        self, shelf: Shelf, rest: bytes, scope: Scope, headers: dict[bytes, bytes]
    ) -> tuple[str | None, Answer | None]:
        key = None
        if self._guard is not None and scope["method"] != "OPTIONS":
            key, refused = self._guard.admit(shelf.served, rest, headers, _address(scope))
            if refused is not None:
                return key, refused
        request = Request(
            scope["method"].encode(),
            rest,
            scope["query_string"],
            (self._site or _host(scope, headers)) + shelf.served.prefix.decode(),
        )
        return key, self._api.answer(request, shelf)

    def _route(self, path: bytes) -> tuple[Shelf | None, bytes]:
        """The feed that a path belongs to, if any, and the path below its base."""
        tidy = b"/" + b"/".join(segment for segment in path.split(b"/") if segment)
        for shelf in self._shelves:
            prefix = shelf.served.prefix
            if tidy == prefix or tidy.startswith(prefix + b"/"):
                return shelf, tidy[len(prefix) :]
        return None, tidy


def build_app(
    feed_root: Path, feeds: Sequence[ServedFeed], *, skew: float, per_minute: int, site: str
) -> App:
    """The application over the editions below `feed_root`.

    The time until readers see an edition adds to the skew that `updated_since` forgives.
    """
    return App(
        [LiveShelf(feed_root, served) for served in feeds],
        skew=skew + VISIBLE_WITHIN.total_seconds() + LOOK_EVERY,
        guard=Guard(feed_root, per_minute=per_minute),
        site=site,
    )


def served_feeds(feed_root: Path, folder: Path | None) -> list[ServedFeed]:
    """The feeds of the documents in a folder (None: those shipped).

    One whose document is broken is served as its last good document said.
    """
    found = read_policies(folder)
    served = [policy.served for policy in found.valid]
    for feed in served:
        try:
            Feed(feed_root, feed.name).identify(feed)
        except OSError as trouble:
            log.warning("not noted how feed=%s is served error=%s", feed.name, trouble)
    for name, error in found.broken.items():
        known = Feed(feed_root, name).identity()
        log.error("%s; feed=%s is %s", error, name, "served as before" if known else "not served")
        if known is not None and known.base_path not in {feed.base_path for feed in served}:
            served.append(known)
    return served


def _no_route(path: bytes) -> str:
    shown = path.decode("utf-8", "replace")[:200]
    return f"Endpoint not found: {shown}. Try /v0.1/servers, or /openapi.json for what there is."


def _pages(feeds: Sequence[ServedFeed]) -> Starlette:
    async def home(_: PageRequest) -> Response:
        items = "".join(
            f'<li><a href="{path}/v0.1/servers">{title}</a> at <code>{path or "/"}</code>, '
            f'<a href="{path}/openapi.yaml">OpenAPI</a>, <a href="{path}/health">health</a>, '
            f'<a href="{path}/changes/feed.rss">changes</a></li>'
            for feed in feeds
            if feed.access == "open"
            for path, title in [(feed.prefix.decode(), html.escape(feed.title))]
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>subregistry</title>"
            f"<h1>Feeds</h1><ul>{items}</ul></html>",
            headers={name.decode(): value.decode() for name, value in CORS},
        )

    return Starlette(routes=[Route("/", home)])


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _host(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Where the request went, as its client says; nothing if that is no host."""
    host = headers.get(b"host", b"")
    return f"{scope['scheme']}://{host.decode()}" if _HOST.fullmatch(host) else ""


def _query(raw: bytes) -> dict[str, bytes]:
    try:
        return read_query(raw[:16_384])
    except BadParameter:
        return {}


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = list(answer.headers)
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": b"" if scope["method"] == "HEAD" else answer.body,
        }
    )
