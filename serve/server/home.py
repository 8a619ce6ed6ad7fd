"""The home page, which lists the open feeds."""

import html
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request as PageRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serve.api.answers import CORS
from serve.policy.served_feed import ServedFeed


def home_routes(
    feeds: Sequence[ServedFeed], watched: Callable[[], AbstractContextManager[None]]
) -> Starlette:
    """An app with only the home page; it enters `watched` while it runs (ASGI lifespan)."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with watched():
            yield

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

    return Starlette(routes=[Route("/", home)], lifespan=lifespan)


def no_route(path: bytes, asked: ServedFeed | None, feeds: Sequence[ServedFeed]) -> str:
    """What there is instead of a path, in the feed `asked` or among all; feeds that are not for
    everybody are not named."""
    shown = path.decode("utf-8", "replace")[:200]
    bases = [feed.prefix.decode() for feed in feeds if feed.access == "open"]
    if asked is not None:
        base = asked.prefix.decode()
        there = f"Try {base}/v0.1/servers, or {base}/openapi.json for what there is."
    elif bases:
        there = f"Feeds are at {', '.join(bases[:10])}: try {bases[0]}/v0.1/servers."
    else:
        there = "Ask the operator for the path of your feed."
    return f"Endpoint not found: {shown}. {there}"
