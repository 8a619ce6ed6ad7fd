"""The server process: feeds by base path, the API first, a few pages for people beside it.

An ASGI application. It opens editions only; a switch is seen within a fraction of a second, and a
request is answered from one edition from beginning to end.
"""

import html
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serve.answers import Answer, problem
from serve.api import Api, read_only_route
from serve.edition import Edition
from serve.errors import NoEdition, ServeError
from serve.feed import Feed
from serve.openapi import openapi
from serve.policy import load_policies

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]  # ASGI's own types
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LOOK_EVERY = 0.2


@dataclass(frozen=True)
class ServedFeed:
    name: str
    title: str
    base_path: str

    @property
    def prefix(self) -> bytes:
        """The base path as routes start with it: empty for the root."""
        return self.base_path.rstrip("/").encode()


class FixedFeed:
    """A feed that serves one edition, live or not."""

    def __init__(self, served: ServedFeed, edition: Edition) -> None:
        self.served = served
        self._edition = edition

    def edition(self) -> Edition:
        return self._edition


class LiveFeed:
    """A feed with its live edition, followed as the pointer moves."""

    def __init__(self, root: Path, served: ServedFeed) -> None:
        self.served = served
        self._feed = Feed(root, served.name)
        self._edition: Edition | None = None
        self._looked = 0.0

    def edition(self) -> Edition:
        """The live edition; the last good one stays if a new one cannot be opened."""
        now = time.monotonic()
        if self._edition is not None and now - self._looked < _LOOK_EVERY:
            return self._edition
        self._looked = now
        try:
            self._follow()
        except (ServeError, OSError) as error:
            log.error("edition refused feed=%s error=%s", self.served.name, error)  # noqa: TRY400
        if self._edition is None:
            raise NoEdition(f"feed {self.served.name} has no edition that can be read")
        return self._edition

    def look_again(self) -> None:
        """Forget when the pointer was last looked at."""
        self._looked = 0.0

    def _follow(self) -> None:
        current = self._feed.current_id()
        if current and (self._edition is None or self._edition.manifest.edition != current):
            self._edition = self._feed.open(current)
            log.info("edition opened feed=%s edition=%s", self.served.name, current)


class App:
    """Feeds by base path, the longest first."""

    def __init__(self, feeds: Sequence[FixedFeed | LiveFeed], *, skew: float) -> None:
        self._feeds = sorted(feeds, key=lambda feed: -len(feed.served.prefix))
        self._api = Api(version=installed_version("subregistry"), skew=skew)
        self._pages = _pages(self._feeds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._pages(scope, receive, send)
            return
        path = scope["raw_path"].partition(b"?")[0]
        answer: Answer | None = None
        try:
            for feed, rest in self._route(path):
                edition = feed.edition()
                answer = self._api.answer(
                    scope["method"].encode(), rest, scope["query_string"], edition
                ) or _description(feed, rest, scope)
        except ServeError as error:
            answer = problem(
                503, f"{error}; run subregistry run", headers=((b"retry-after", b"60"),)
            )
        if answer is not None:
            await _send(answer, scope, send)
        elif path.strip(b"/") == b"":
            await self._pages(scope, receive, send)
        else:
            await _send(problem(404, _no_route(path)), scope, send)

    def _route(self, path: bytes) -> list[tuple[FixedFeed | LiveFeed, bytes]]:
        """The feed that a path belongs to, if any, and the path below its base."""
        tidy = b"/" + b"/".join(segment for segment in path.split(b"/") if segment)
        for feed in self._feeds:
            prefix = feed.served.prefix
            if tidy == prefix or tidy.startswith(prefix + b"/"):
                return [(feed, tidy[len(prefix) :])]
        return []


def build_app(feed_root: Path, feeds: list[ServedFeed], *, skew: float) -> App:
    """The application over the editions below `feed_root`."""
    return App([LiveFeed(feed_root, served) for served in feeds], skew=skew)


def served_feeds(folder: Path | None) -> list[ServedFeed]:
    """The feeds of the documents in a folder (None: those shipped)."""
    return [
        ServedFeed(policy.name, policy.document.title, policy.document.base_path)
        for policy in load_policies(folder)
    ]


def _description(feed: FixedFeed | LiveFeed, rest: bytes, scope: Scope) -> Answer | None:
    if rest not in (b"/openapi.json", b"/openapi.yaml"):
        return None
    if scope["method"] not in ("GET", "HEAD"):
        return read_only_route()
    found = openapi(title=feed.served.title, base_url=feed.served.base_path.rstrip("/"))
    if rest.endswith(b".json"):
        return Answer(200, json.dumps(found).encode(), b"application/json")
    return Answer(200, yaml.safe_dump(found, sort_keys=False).encode(), b"application/yaml")


def _no_route(path: bytes) -> str:
    shown = path.decode("utf-8", "replace")[:200]
    return f"Endpoint not found: {shown}. Try /v0.1/servers, or /openapi.json for what there is."


def _pages(feeds: Sequence[FixedFeed | LiveFeed]) -> Starlette:
    async def home(_: Request) -> Response:
        items = "".join(
            f'<li><a href="{path}/v0.1/servers">{title}</a> at <code>{path or "/"}</code>, '
            f'<a href="{path}/openapi.yaml">OpenAPI</a>, <a href="{path}/health">health</a></li>'
            for feed in feeds
            for path, title in [(feed.served.prefix.decode(), html.escape(feed.served.title))]
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>subregistry</title>"
            f"<h1>Feeds</h1><ul>{items}</ul></html>"
        )

    return Starlette(routes=[Route("/", home)])


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": b"" if scope["method"] == "HEAD" else answer.body,
        }
    )
