"""Simple readers that sync from a feed, and a random history of that feed on its own clock.

Requests go through `Api` and `LiveEditions` as in a server process; only HTTP is left out.
"""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from serve.api.registry import Api, Request
from serve.build.candidate import Candidate
from serve.build.rollback import write_rollback
from serve.edition.edition import Edition
from serve.feed.feed import VISIBLE_WITHIN, Feed
from serve.feed.retention import Retention
from serve.policy.served_feed import ServedFeed
from serve.server.live_editions import LOOK_EVERY, LiveEditions
from tests.support.feeds import NOW, entry, excluded, publish

SKEW = 60.0
NAMES = [f"{space}/{name}" for space in ("a.b", "c.d") for name in ("one", "two", "three")]
VERSIONS = ["1.0.0", "2.0.0", "1.10.0", "auto"]
Key = tuple[str, str]
Json = dict[str, Any]  # a served entry
OURS = "local.subregistry/feed"
UPSTREAMS = "io.modelcontextprotocol.registry/official"


@dataclass
class World:
    """A feed over time: its clock, what curation decided on each entry, and its editions."""

    root: Path
    random: random.Random
    now: datetime = NOW
    state: dict[Key, Candidate] = field(default_factory=dict)
    served: set[Key] = field(default_factory=set)
    number: int = 0

    def __post_init__(self) -> None:
        self.feed = Feed(self.root, "default")
        served = ServedFeed("default", "Default", "/")
        self.editions = LiveEditions(self.root, served, now=lambda: self.now)
        lag = VISIBLE_WITHIN.total_seconds() + LOOK_EVERY
        self.api = Api(version="0", skew=SKEW + lag)
        self.pending: list[tuple[datetime, Callable[[], object]]] = []

    def pass_time(self, by: timedelta) -> None:
        self.now += by
        for _, apply in [item for item in self.pending if item[0] <= self.now]:
            apply()
        self.pending = [item for item in self.pending if item[0] > self.now]

    def change(self) -> None:
        """Apply one random change to one entry, as curation or upstream would."""
        key = self.random.choice(NAMES), self.random.choice(VERSIONS)
        old = self.now - timedelta(days=self.random.randint(0, 400))
        kind = self.random.choice(
            ["admit_late", "admit", "exclude", "delete", "edit", "silent", "latest", "withhold"]
        )
        known = self.state.get(key)
        at = known.published_at if known else old
        if kind == "admit_late":
            candidate = entry(*key, at=old, is_latest=False)
        elif kind == "admit":
            candidate = entry(*key, at=self.now, is_latest=self.random.random() < 0.5)
        elif kind == "exclude":
            candidate = excluded(known or entry(*key, at=old, is_latest=False), "not wanted")
        elif kind == "delete":
            candidate = entry(*key, at=at, updated=self.now, status="deleted", is_latest=False)
        elif kind == "edit":
            text = f"T{self.random.random()}"
            candidate = entry(*key, at=at, updated=self.now, is_latest=False, title=text)
        elif kind == "silent":
            candidate = entry(*key, at=at, is_latest=False, title=f"S{self.random.random()}")
        elif kind == "withhold":
            broken: Json = {"packages": [{"registryType": "npm"}], "remotes": []}
            candidate = entry(*key, at=at, is_latest=False, **broken)
        else:
            candidate = replace(known or entry(*key, at=old), is_latest=True)
        self.state[key] = candidate

    def publish(self) -> None:
        """Build and switch; readers see the edition some seconds later."""
        self.number += 1
        candidates = [
            replace(candidate, served=key in self.served) for key, candidate in self.state.items()
        ]
        publish(self.feed, candidates, f"e{self.number}", now=self.now)
        self._published()

    def go_back(self) -> None:
        live = self.feed.current()
        kept = [name for name in self.feed.ledger.read() if self.editions.kept(name)]
        if live is None or len(kept) < 2:
            return
        self.number += 1
        target = self.feed.open(self.random.choice(kept[:-1]))
        edition = f"e{self.number}"
        write_rollback(
            target,
            live=live,
            edition=edition,
            root=self.feed.folder,
            now=self.now,
        )
        self.feed.switch(edition, now=lambda: self.now)
        self._published()

    def lose(self) -> None:
        """Delete the feed's folder, and rebuild it from what the warehouse still knows."""
        shutil.rmtree(self.feed.folder)
        self.publish()

    def _published(self) -> None:
        edition = self.live()
        self.served |= {edition.keys.pair(index) for index in range(edition.count)}
        if self.random.random() < 0.5:
            kept = Retention(self.random.randint(2, 4), timedelta(minutes=5))
            self.feed.tidy(kept, now=self.now)
        visible_at = self.now + self.random.uniform(0, 1) * VISIBLE_WITHIN
        self.pending.append((visible_at, self.editions.look))

    def live(self) -> Edition:
        edition = self.feed.current()
        assert edition is not None
        return edition

    def ask(self, target: str) -> tuple[int, Json]:
        path, _, query = target.partition("?")
        answer = self.api.answer(Request(b"GET", path.encode(), query.encode()), self.editions)
        assert answer is not None, target
        return answer.status, json.loads(answer.body)


@dataclass
class Reader:
    """Copies a feed page by page; `kind` says what it keeps between walks."""

    world: World
    kind: str
    random: random.Random
    store: dict[Key, Json] = field(default_factory=dict)
    watermark: str | None = None
    walks: int = 0
    restarts: int = 0

    def __post_init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._cursor: str | None = None
        self._walking = False
        self._largest = self.watermark or ""

    def be_killed(self) -> None:
        """Lose the walk; keep the stored entries and the watermark of the last complete walk.

        A first walk starts again with an empty store: it does not show what is gone by then.
        """
        if self.watermark is None:
            self.store.clear()
        self._forget()

    def step(self) -> None:
        """Ask for one page."""
        if not self._walking:
            self._walking = True
            skew = self.random.uniform(-SKEW, SKEW)
            self._began = _text(self.world.now + timedelta(seconds=skew))
        query: dict[str, str] = {"limit": str(self.random.choice([1, 2, 3, 100]))}
        if self.kind == "sequence":
            path, query["since_sequence"] = "/changes", self.watermark or "0"
        else:
            path = "/v0.1/servers"
            if self.watermark:
                query["updated_since"] = self.watermark
        target = f"{path}?{urlencode(query)}"
        if self._cursor:
            target += f"&cursor={quote(self._cursor, safe='')}"
        status, page = self.world.ask(target)
        if status == 410:  # the walk took longer than editions are kept
            self.restarts += 1
            self.be_killed()
            return
        assert status == 200, (target, page)
        for item in page["changes"] if self.kind == "sequence" else page["servers"]:
            self._take(item["entry"] if self.kind == "sequence" else item)
        self._cursor = page["metadata"].get("nextCursor")
        if self._cursor is None:
            self._finish(page)

    def _take(self, item: Json) -> None:
        self.store[item["server"]["name"], item["server"]["version"]] = item
        instant = {
            "updated": item["_meta"][UPSTREAMS]["updatedAt"],
            "published": item["_meta"][OURS]["publishedAt"],
        }.get(self.kind, "")
        if instant:
            self._largest = max(self._largest, _text(datetime.fromisoformat(instant)))

    def _finish(self, page: Json) -> None:
        if self.kind == "clock":
            self.watermark = self._began
        elif self.kind == "sequence":
            self.watermark = str(page["metadata"]["sequence"])
        else:
            self.watermark = self._largest or None
        self.walks += 1
        self._forget()

    def complete(self) -> None:
        """Walk from beginning to end."""
        self.be_killed()
        walks = self.walks
        while self.walks == walks:
            self.step()

    def check(self) -> None:
        """The store equals what the feed shows; only deleted entries may be absent from it."""
        edition = self.world.live()
        shown = {edition.keys.pair(index): index for index in range(edition.count)}
        for key, index in shown.items():
            if key in self.store or not edition.deleted(index):
                assert self.store.get(key) == json.loads(edition.body(index)), (self.kind, key)
        for key in self.store.keys() - shown.keys():
            raise AssertionError((self.kind, key, "is stored and the feed says nothing of it"))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
