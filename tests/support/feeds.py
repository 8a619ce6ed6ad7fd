"""Build editions without a warehouse, and request served editions over plain HTTP."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from pipelines.demo.registry import OFFICIAL, instant
from pipelines.server import listen, serving_app
from serve.build.candidate import Candidate
from serve.build.draft import Draft
from serve.build.writer import Built, write_candidate
from serve.edition.base import ENTRIES
from serve.edition.edition import Edition
from serve.edition.layers import TableBuilder
from serve.edition.manifests import Manifest
from serve.edition.records import RECORDS
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from serve.server.app import App, build_app
from serve.server.live_editions import LiveEditions
from serve.server.protocol import BoundedProtocol
from tests.support.deployments import server_json

HOUR = timedelta(hours=1)
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FIRST = int(NOW.timestamp())
"""The sequence of an edition that is built at NOW."""
FEED = ServedFeed("default", "Default", "/")
Json = dict[str, Any]  # decoded answers


def entry(
    name: str,
    version: str = "1.0.0",
    *,
    at: datetime = NOW - timedelta(days=30),
    updated: datetime | None = None,
    is_latest: bool = True,
    status: str = "active",
    **extra: Any,
) -> Candidate:  # `extra` holds members of the server.json
    """An admitted entry, as upstream would send it."""
    server = server_json(name, version, **extra)
    official = {
        "status": status,
        "publishedAt": instant(at),
        "updatedAt": instant(updated or at),
        "isLatest": is_latest,
    }
    return Candidate(
        name=name,
        version=version,
        admitted=True,
        rule="default",
        reason="no rule decided",
        status=status,
        is_latest=is_latest,
        published_at=at,
        updated_at=updated or at,
        server=json.dumps(server, ensure_ascii=False, separators=(",", ":")).encode(),
        meta=json.dumps({OFFICIAL: official}, separators=(",", ":")).encode(),
        enrichment=b'{"packages":[]}',
    )


def excluded(candidate: Candidate, reason: str = "not wanted") -> Candidate:
    return replace(candidate, admitted=False, rule="no", reason=reason, server=None, meta=None)


def build(feed: Feed, entries: Iterable[Candidate], edition: str, *, now: datetime = NOW) -> Built:
    """Build a candidate of the feed from entries in any order."""
    built = write_candidate(
        Draft(
            feed=feed.name,
            edition=edition,
            namespace="local.subregistry",
            policy_hash="p",
            previous=feed.current(),
            root=feed.folder,
            now=now,
        ),
        sorted(entries, key=lambda candidate: candidate.key),
    )
    feed.set_candidate(edition)
    return built


def with_body(edition: Edition, index: int, body: bytes) -> Edition:
    """The same edition with the bytes of one body replaced."""
    layer, row = edition.entries.locate(index)
    values = {name: column[row].item() for name, column in layer.columns.items()}
    values |= {"segment": len(edition.manifest.segments), "offset": 0, "length": len(body)}
    rows = TableBuilder(ENTRIES)
    rows.add((edition.key(index), edition.text(index)), **values)
    return edition.with_overlay(rows.layer(), TableBuilder(RECORDS).layer(), body)


def publish(
    feed: Feed, entries: Iterable[Candidate], edition: str, *, now: datetime = NOW
) -> Manifest:
    build(feed, entries, edition, now=now)
    return feed.switch(edition, now=lambda: now)


@dataclass
class Client:
    """Sends request targets exactly as given."""

    port: int

    def ask(
        self, target: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, received, answer.read()
        finally:
            connection.close()

    def json(self, target: str, *, status: int = 200) -> Json:
        code, _, body = self.ask(target)
        assert code == status, (target, code, body[:300])
        document: Json = json.loads(body)
        return document

    def until(self, met: Callable[[], bool]) -> None:
        """Poll until the condition is met; a switch is visible within a fraction of a second."""
        end = time.monotonic() + 10
        while not met():
            assert time.monotonic() < end
            time.sleep(0.05)

    def paged(self, target: str, member: str) -> list[Json]:
        """Collect the items of all pages of a list; a repeated item fails."""
        items: list[Json] = []
        cursor, joint = "", "&" if "?" in target else "?"
        while True:
            page = self.json(f"{target}{joint}cursor={cursor}")
            items += page[member]
            cursor = page["metadata"].get("nextCursor", "")
            if not cursor:
                assert len(items) == len({json.dumps(item) for item in items})
                return items

    def keys(self, target: str) -> list[tuple[str, str]]:
        """The (name, version) of every entry of a list answer."""
        servers = [item["server"] for item in self.json(target)["servers"]]
        return [(server["name"], server["version"]) for server in servers]

    def walk_all(self, target: str) -> list[tuple[str, str]]:
        """Follow nextCursor and keep the other parameters."""
        keys, cursor = self.keys(target), self.json(target)["metadata"].get("nextCursor")
        while cursor:
            page = f"{target}&cursor={cursor}"
            keys += self.keys(page)
            cursor = self.json(page)["metadata"].get("nextCursor")
        return keys

    def walk(self, target: str) -> list[tuple[str, str]]:
        """Follow nextCursor, pasted without escaping, and drop the other parameters."""
        keys, path = self.keys(target), target.partition("?")[0]
        cursor = self.json(target)["metadata"].get("nextCursor")
        while cursor:
            page = f"{path}?cursor={cursor}"
            keys += self.keys(page)
            cursor = self.json(page)["metadata"].get("nextCursor")
        return keys


@contextmanager
def served(root: Path, *feeds: tuple[str, str], skew: float = 60.0) -> Iterator[Client]:
    """Serve feeds given as (name, base path)."""
    live = [LiveEditions(root, ServedFeed(name, name.title(), path)) for name, path in feeds]
    with served_app(App(live, skew=skew)) as client:
        yield client


@contextmanager
def served_app(app: App) -> Iterator[Client]:
    sock = listen("127.0.0.1", 0)
    with serving_app(app, sock):
        yield Client(sock.getsockname()[1])


def application(feed: Feed, **named: Any) -> App:
    """The application that serves the feed at `/`, without a rate limit."""
    values: dict[str, Any] = {"skew": 60.0, "per_minute": 0, "site": ""} | named
    return build_app(feed.folder.parent, [FEED], **values)


@contextmanager
def running(
    app: App, kind: type[BoundedProtocol], loop: Any = "uvloop", most: int | None = None
) -> Iterator[Client]:
    """Serve the application with one of the protocols, to `most` connections."""
    sock = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=kind, loop=loop, log_level="warning", access_log=False, ws="none",
        server_header=False, timeout_keep_alive=75, limit_concurrency=most,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield Client(sock.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
