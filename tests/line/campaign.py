"""A seeded driver of random histories: a scripted upstream that changes, lags, lies and breaks.

One history is a random sequence of changes upstream and pulls of ours, over real HTTP. After a pull
without trouble the warehouse equals upstream in everything that was not changed silently; after two
reconciles it equals upstream in everything.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.errors import ConnectorError
from pipelines.demo.clock import PlayedClock
from pipelines.demo.loopback import Reply, Request
from pipelines.demo.registry import Key, Row, ScriptedRegistry
from pipelines.steps.pull import PullReport
from tests.conftest import START, make_deployment, server_json, upstream_server
from warehouse.errors import BrakeEngaged
from warehouse.warehouse import connect

NAMES = [f"io.github.{owner}/s{n}" for owner in ("A", "a", "a-b", "a.b") for n in range(5)]
_ODD_AND_EVEN = "1.0.0 1.1.0 2.0.0 10.0.0 2.0.0-rc.1 v1.1.0 1.0.0+x auto 2025.1.2.3 0.9.0"
VERSIONS = _ODD_AND_EVEN.split()
State = dict[Key, tuple[Any, ...]]


@dataclass
class Tally:
    """What a campaign did, for the note that reports it."""

    histories: int = 0
    pulls: int = 0
    failed_pulls: int = 0
    reconciles: int = 0
    faults: int = 0
    changes: int = 0
    brakes: int = 0


@dataclass
class History:
    """One random history in its own folder."""

    seed: int
    folder: Path
    tally: Tally
    silent: set[Key] = field(default_factory=set)
    flipped: set[str] = field(default_factory=set)

    def play(self, steps: int) -> None:
        self._random = random.Random(self.seed)
        skew = timedelta(seconds=self._random.uniform(-240, 240))
        self._clock = PlayedClock(START)
        self._local = lambda: self._clock() + skew
        self._last = self._clock()
        self._old: dict[Key, Row] = {}
        self._lagging: list[tuple[datetime, Callable[[], None]]] = []
        self._trouble = 0.0
        self._midwalk = 0.0
        with upstream_server(self._clock) as upstream:
            self._upstream = upstream
            upstream.registry.page_cap = self._random.choice([2, 5, 100])
            upstream.fault = self._fault
            self._deployment = make_deployment(self.folder, upstream, self._local, overlap=3600)
            self._deployment.settings.home.mkdir(parents=True)
            keep_open = connect(self._deployment.settings.warehouse)
            try:
                for _ in range(self._random.randrange(3, 40)):
                    self._change()
                for _ in range(steps):
                    self._step()
                self._settle()
            finally:
                keep_open.close()
        self.tally.histories += 1

    def _step(self) -> None:
        """Changes and a pull with trouble; then a quiet moment, a clean pull and a check."""
        self._old = self._upstream.registry.rows()
        self._advance(timedelta(minutes=self._random.choice([1, 7, 30, 60, 60, 200])))
        for _ in range(self._random.randrange(6)):
            self._change()
        self._trouble = self._random.choice([0.0, 0.2, 0.5])
        self._midwalk = self._random.choice([0.0, 0.5])
        self._pull(full=self._random.random() < 0.3)
        self._trouble = self._midwalk = 0.0
        if self._random.random() < 0.7:
            # The names that could not be read again are met again within the overlap.
            self._advance(timedelta(minutes=self._random.choice([0, 1, 60])))
            report = self._pull(full=False)
            # What was published behind a walk that was gone on with comes with the next pull.
            if report and report.resumed_pages:
                assert self._pull(full=False)
            self._check(everything=False)

    def _settle(self) -> None:
        """Let everything become visible, then reconcile until nothing is left to confirm."""
        self._trouble = self._midwalk = 0.0
        self._advance(timedelta(hours=2))
        report = self._pull(full=False)
        assert report
        if report.resumed_pages:
            assert self._pull(full=False)
        self._check(everything=False)
        for _ in range(2):
            self._advance(timedelta(hours=24))
            assert self._pull(full=True)
        self.silent.clear()
        self.flipped.clear()
        self._check(everything=True)

    def _pull(self, *, full: bool) -> PullReport | None:
        try:
            report = self._deployment.pull(full=full)
        except BrakeEngaged:
            self.tally.brakes += 1
            if self._trouble:
                return None
            report = self._deployment.pull(accept_shrink=True)
        except ConnectorError:
            assert self._trouble
            self.tally.failed_pulls += 1
            return None
        self.tally.pulls += 1
        self.tally.reconciles += report.kind == "full"
        return report

    # -- what happens upstream ---------------------------------------------------------------

    def _advance(self, by: timedelta) -> None:
        target = self._clock() + by
        for due, apply in sorted(self._lagging, key=lambda item: item[0]):
            if due <= target:
                self._clock.move_to(due)
                apply()
        self._lagging = [item for item in self._lagging if item[0] > target]
        self._clock.move_to(target)

    def _change(self) -> None:
        self.tally.changes += 1
        self._random.choice(
            [self._publish] * 5
            + [self._set_status] * 3
            + [self._edit, self._edit, self._lag, self._lag]
            + [self._random.choice([self._edit_silently, self._flip, self._remove])]
        )()

    def _now(self) -> datetime:
        self._last = self._clock()
        return self._last

    def _same(self) -> datetime:
        """Sometimes the microsecond of the change before, if that was just now."""
        just_now = self._clock() - self._last < timedelta(seconds=30)
        return self._last if just_now and self._random.random() < 0.3 else self._now()

    def _publish(self) -> None:
        key = (self._random.choice(NAMES), self._random.choice(VERSIONS))
        if key not in self._upstream.registry.rows():
            self._upstream.registry.publish(server_json(*key), self._same())

    def _set_status(self) -> None:
        name = self._any_name()
        if name:
            versions = self._versions(name)
            some = self._random.sample(versions, self._random.randint(1, len(versions)))
            wanted = None if self._random.random() < 0.3 else some
            status = self._random.choice(["active", "deprecated", "deleted", "deleted"])
            message = "" if status == "active" else self._random.choice(["", "because"])
            self._upstream.registry.set_status(name, wanted, status, message, self._now())

    def _edit(self) -> None:
        key = self._any_key()
        if key:
            text = f"edited {self._random.random()}"
            self._upstream.registry.edit(key, server_json(*key, title=text), self._now())

    def _edit_silently(self) -> None:
        key = self._any_key()
        if key:
            text = f"fixed {self._random.random()}"
            self._upstream.registry.edit(key, server_json(*key, title=text), None)
            self.silent.add(key)

    def _flip(self) -> None:
        """Latest flags moved by hand: no row of the name tells."""
        name = self._any_name()
        if name:
            chosen = self._random.choice(self._versions(name))
            for (found, version), row in self._upstream.registry.rows().items():
                if found == name:
                    self._upstream.registry.put(replace(row, is_latest=version == chosen))
            self.flipped.add(name)

    def _remove(self) -> None:
        key = self._any_key()
        if key:
            self._upstream.registry.remove(key)
            self.silent.add(key)
            self.flipped.add(key[0])

    def _lag(self) -> None:
        """A publish with an instant of now that becomes visible up to six minutes later."""
        key = (self._random.choice(NAMES), self._random.choice(VERSIONS))
        at = self._now()

        def apply() -> None:
            if key not in self._upstream.registry.rows():
                self._upstream.registry.publish(server_json(*key), at)

        self._lagging.append((at + timedelta(seconds=self._random.uniform(1, 360)), apply))

    def _any_key(self) -> Key | None:
        keys = sorted(self._upstream.registry.rows())
        return self._random.choice(keys) if keys else None

    def _any_name(self) -> str | None:
        key = self._any_key()
        return key[0] if key else None

    def _versions(self, name: str) -> list[str]:
        return sorted(v for found, v in self._upstream.registry.rows() if found == name)

    # -- what goes wrong on the way ----------------------------------------------------------

    def _fault(self, request: Request) -> Reply | None:
        if self._random.random() < self._midwalk and "/servers?" in request.target:
            self._change()
        if self._random.random() >= self._trouble:
            return None
        self.tally.faults += 1
        good = self._upstream.registry.answer(request)
        choices = [
            Reply(429, b"<html>slow down</html>"),
            Reply(500, b'{"title":"Internal Server Error"}'),
            Reply(502, b"<html>bad gateway</html>"),
            Reply(200, good.body[: len(good.body) // 2]),
            Reply(200, b"\xff\x00garbage"),
            Reply(200, b"<html>maintenance</html>"),
            Reply(200, b'{"servers":[]}'),
            self._stale(request),
        ]
        return self._random.choice(choices)

    def _stale(self, request: Request) -> Reply:
        """What an edge cache kept from before the last changes."""
        past = ScriptedRegistry()
        past.page_cap = self._upstream.registry.page_cap
        for row in self._old.values():
            past.put(row)
        reply = past.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, "X-Registry-Cache": "STALE"})

    # -- the oracle --------------------------------------------------------------------------

    def _check(self, *, everything: bool) -> None:
        truth = {key: visible(row) for key, row in self._upstream.registry.rows().items()}
        with self._deployment.warehouse.session() as session:
            rows = session.text(
                "SELECT e.*, b.body FROM entries e JOIN bodies b ON b.hash = e.server_hash "
                "WHERE vanished_at IS NULL"
            ).to_pylist()
            doubled = session.text(
                "SELECT name FROM entries GROUP BY name, version, upstream HAVING count(*) > 1"
            ).num_rows
        assert doubled == 0
        known = {(r["name"], r["version"]): stored(r) for r in rows}
        for key in sorted(set(truth) | set(known)):
            mine, theirs = known.get(key), truth.get(key)
            if not everything:
                if key in self.silent:
                    continue
                if key[0] in self.flipped and mine and theirs:
                    mine, theirs = mine[:-1], theirs[:-1]
            assert mine == theirs, (self.seed, key, mine, theirs)


def visible(row: Row) -> tuple[Any, ...]:
    return (
        row.server,
        row.status,
        row.status_message,
        row.published_at,
        row.updated_at,
        row.is_latest,
    )


def stored(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        json.loads(row["body"]),
        row["status"],
        row["status_message"],
        row["published_at"],
        row["updated_at"],
        row["is_latest"],
    )


def run_campaign(folder: Path, seeds: range, *, steps: int = 6) -> Tally:
    """Play a history per seed; the first that ends unequal raises with its seed."""
    tally = Tally()
    for seed in seeds:
        History(seed, folder / str(seed), tally).play(steps)
    return tally
