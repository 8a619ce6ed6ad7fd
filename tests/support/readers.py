"""Naive readers that sync from a feed, and a random life of that feed, with a clock of its own.

Requests go through `Api` and `LiveEditions` as a server process has them; only HTTP is left out.
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
    """A feed that lives: its clock, what curation says of each entry, and its editions."""

    root: Path
    random: random.Random
    now: datetime = NOW
    state: dict[Key, Candidate] = field(default_factory=dict)
    served: set[Key] = field(default_factory=set)
    number: int = 0

    def __post_init__(self) -> None:
        self.feed = Feed(self.root, "default")
        served = ServedFeed("default", "Default", "/")
        self.shelf = LiveEditions(self.root, served, now=lambda: self.now)
        lag = VISIBLE_WITHIN.total_seconds() + LOOK_EVERY
        self.api = Api(version="0", skew=SKEW + lag)
        self.pending: list[tuple[datetime, Callable[[], object]]] = []

    def pass_time(self, by: timedelta) -> None:
        self.now += by
        for _, apply in [item for item in self.pending if item[0] <= self.now]:
            apply()
        self.pending = [item for item in self.pending if item[0] > self.now]

    def change(self) -> None:
        """One thing that curation or upstream does to one entry."""
        key = self.random.choice(NAMES), self.random.choice(VERSIONS)
        old = self.now - timedelta(days=self.random.randint(0, 400))
        what = self.random.choice(
            ["admit_late", "admit", "exclude", "delete", "edit", "silent", "latest", "withhold"]
        )
        known = self.state.get(key)
        at = known.published_at if known else old
        if what == "admit_late":
            found = entry(*key, at=old, is_latest=False)
        elif what == "admit":
            found = entry(*key, at=self.now, is_latest=self.random.random() < 0.5)
        elif what == "exclude":
            found = excluded(known or entry(*key, at=old, is_latest=False), "not wanted")
        elif what == "delete":
            found = entry(*key, at=at, updated=self.now, status="deleted", is_latest=False)
        elif what == "edit":
            text = f"T{self.random.random()}"
            found = entry(*key, at=at, updated=self.now, is_latest=False, title=text)
        elif what == "silent":
            found = entry(*key, at=at, is_latest=False, title=f"S{self.random.random()}")
        elif what == "withhold":
            broken: Json = {"packages": [{"registryType": "npm"}], "remotes": []}
            found = entry(*key, at=at, is_latest=False, **broken)
        else:
            found = replace(known or entry(*key, at=old), is_latest=True)
        self.state[key] = found

    def publish(self) -> None:
        """Build and switch; readers see it some seconds later."""
        self.number += 1
        candidates = [replace(c, served=k in self.served) for k, c in self.state.items()]
        publish(self.feed, candidates, f"e{self.number}", now=self.now)
        self._published()

    def go_back(self) -> None:
        live = self.feed.current()
        kept = [name for name in self.feed.ledger.read() if self.shelf.kept(name)]
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
        """The feed's folder is gone; the warehouse is not, and makes it again."""
        shutil.rmtree(self.feed.folder)
        self.publish()

    def _published(self) -> None:
        edition = self.live()
        self.served |= {edition.keys.pair(index) for index in range(edition.count)}
        if self.random.random() < 0.5:
            self.feed.tidy(keep=self.random.randint(2, 4), since=self.now - timedelta(minutes=5))
        seen = self.now + self.random.uniform(0, 1) * VISIBLE_WITHIN
        self.pending.append((seen, self.shelf.look))

    def live(self) -> Edition:
        found = self.feed.current()
        assert found is not None
        return found

    def ask(self, target: str) -> tuple[int, Json]:
        path, _, query = target.partition("?")
        answer = self.api.answer(Request(b"GET", path.encode(), query.encode()), self.shelf)
        assert answer is not None, target
        return answer.status, json.loads(answer.body)


@dataclass
class Reader:
    """Copies a feed page by page; `kind` says what it remembers between walks."""

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
        """Lose the walk, keep what was stored and the watermark of the last complete walk.

        A first walk begins from nothing again: it shows nothing of what is gone by then.
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

    def _take(self, found: Json) -> None:
        self.store[found["server"]["name"], found["server"]["version"]] = found
        instant = {
            "updated": found["_meta"][UPSTREAMS]["updatedAt"],
            "published": found["_meta"][OURS]["publishedAt"],
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
        """What is stored is what the feed shows; what the feed never shows alive is not there."""
        edition = self.world.live()
        shown = {edition.keys.pair(i): i for i in range(edition.count)}
        for key, index in shown.items():
            if key in self.store or not edition.deleted(index):
                assert self.store.get(key) == json.loads(edition.body(index)), (self.kind, key)
        for key in self.store.keys() - shown.keys():
            raise AssertionError((self.kind, key, "is stored and the feed says nothing of it"))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
