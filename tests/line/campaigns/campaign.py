"""A seeded driver of random histories: a scripted upstream that changes, lags, lies and breaks.

One history is a random sequence of changes upstream and of our pulls, over real HTTP. After a pull
without trouble the warehouse equals upstream, except for silent changes; after two reconciles it
equals upstream completely. Faults, lies and kills disturb the pulls; an upstream that is wiped
engages the brake.
"""

import contextlib
import importlib.util
import random
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply, Request
from pipelines.demo.registry import Key, Row, ScriptedRegistry
from pipelines.pull.pull import PullReport
from pipelines.pull.spool import Spool
from tests.line.campaigns.campaign_changes import NAMES, ChangingUpstream
from tests.line.campaigns.campaign_state import Killed, NoPandas, State, Tally, stored, visible
from tests.support.deployments import START, make_deployment, upstream_server
from warehouse.database.session import Session
from warehouse.database.warehouse import connect
from warehouse.errors import BrakeEngaged

_EMPTY = Reply(200, b'{"servers":[],"metadata":{"count":0}}')
_CURSOR = re.compile(rb'"nextCursor":"[^"]*"')


if importlib.util.find_spec("pandas") is None:
    sys.meta_path.insert(0, NoPandas())


@dataclass
class History(ChangingUpstream):
    """One random history in its own folder."""

    seed: int
    folder: Path
    tally: Tally
    silent: set[Key] = field(default_factory=set)
    flipped: set[str] = field(default_factory=set)
    spoiled: set[Key] = field(default_factory=set)

    def play(self) -> None:
        self._random = random.Random(self.seed)
        skew = timedelta(seconds=self._random.uniform(-240, 240))
        self._clock = FakeClock(START)
        self._local = lambda: self._clock() + skew
        self._last = self._clock()
        self._pasts: list[dict[Key, Row]] = []
        self._lagging: list[tuple[datetime, Callable[[], None]]] = []
        self._quiet()
        self._emptied = False
        with upstream_server(self._clock) as upstream:
            self._upstream = upstream
            page = upstream.registry.page_cap = self._random.choice([2, 5, 100])
            upstream.fault = self._fault
            self._deployment = make_deployment(
                self.folder, upstream, self._local, overlap=3600, upstream_page=page
            )
            self._deployment.settings.home.mkdir(parents=True)
            keep_open = connect(self._deployment.settings.warehouse)
            try:
                for _ in range(self._random.randrange(3, 40)):
                    self._change()
                for _ in range(self._random.randint(1, 4)):
                    self._step()
                self._settle()
            finally:
                keep_open.close()
        self.tally.histories += 1

    def _step(self) -> None:
        """Make changes and pull with trouble; then end the trouble, pull again and check."""
        self._pasts.append(self._upstream.registry.rows())
        before, after = self._random.randrange(4), self._random.randrange(4)
        for _ in range(before):
            self._change()
        self._advance(timedelta(minutes=self._random.choice([1, 7, 30, 60, 60, 200])))
        for _ in range(after):
            self._change()
        self._trouble = self._random.choice([0.0, 0.2, 0.5])
        self._midwalk = self._random.choice([0.0, 0.5])
        self._mood = self._random.choice([""] * 5 + ["lying"] * 3 + ["cached", "cursorless"])
        self._held = self._known() if self._mood == "lying" else {}
        self._honest = self._random.randrange(2)
        full = self._random.random() < 0.3
        if self._random.random() < 0.15:
            self._kill(full=full)
        else:
            self._pull(full=full)
        self._quiet()
        if self._random.random() < 0.1:
            self._wipe()
        if self._random.random() < 0.7:
            # At most the overlap of 60 minutes: so the pull meets the names whose re-read failed.
            self._advance(timedelta(minutes=self._random.choice([0, 1, 60])))
            report = self._pull(full=False)
            # A resumed walk misses what was published behind its cursor; the next pull gets it.
            if report and report.resumed_pages:
                assert self._pull(full=False)
            self._check(everything=False)

    def _settle(self) -> None:
        """Let everything become visible, then reconcile until nothing is left to confirm."""
        self._quiet()
        self._advance(timedelta(hours=2))
        report = self._pull(full=False)
        assert report
        if report.resumed_pages:
            assert self._pull(full=False)
        self._check(everything=False)
        if self.spoiled:
            self._check_quarantine()
        self._mend()
        for _ in range(2):
            self._advance(timedelta(hours=24))
            assert self._pull(full=True)
        self.silent.clear()
        self.flipped.clear()
        self._check(everything=True)
        assert not self._quarantined(), self.seed

    def _check_quarantine(self) -> None:
        """After a full walk the quarantine holds exactly the entries that cannot be read."""
        report = self._pull(full=True)
        assert report
        if report.resumed_pages:  # its old pages are from before the spoiling
            assert self._pull(full=True)
        registry = self._upstream.registry
        spoiled = [
            key for key, row in registry.rows().items() if registry.body(key) != row.encode()
        ]
        assert len(self._quarantined()) == len(spoiled), (self.seed, spoiled)

    def _pull(self, *, full: bool) -> PullReport | None:
        try:
            report = self._deployment.pull(full=full)
        except BrakeEngaged:
            self.tally.brakes += 1
            if self._trouble or self._mood:
                return None
            report = self._deployment.pull(accept_shrink=True, reason="it is right")
        except ConnectorError:
            assert self._trouble or self._mood
            self.tally.failed_pulls += 1
            return None
        self.tally.pulls += 1
        self.tally.reconciles += report.kind == "full"
        self.tally.unmet += report.unmet > 0
        return report

    def _kill(self, *, full: bool) -> None:
        """Kill a pull at a random step: a statement, or a write to the spool."""
        left = self._random.randrange(1, 60)

        def counted(step: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any, **keywords: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise Killed
                return step(*arguments, **keywords)

            return run

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
            for owner, name in ((Session, "_execute"), (Spool, "append"), (Spool, "clear")):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            self._pull(full=full)
        self.tally.kills += left <= 0

    def _wipe(self) -> None:
        """Lose all or most of upstream for a while: the brake must engage, and no entry may change,
        neither then nor in the incremental pulls that follow."""
        while (report := self._pull(full=True)) and report.resumed_pages:
            pass  # a resumed walk has old pages
        registry = self._upstream.registry
        rows, before = registry.rows(), self._known()
        readable = sorted(before.keys() - self.spoiled)
        can_stay = max(min(len(before) - 21, len(readable)), 0)  # the brake lets 20 go
        staying = self._random.sample(readable, self._random.randint(0, can_stay))
        late, self._lagging = self._lagging, []
        for key in rows.keys() - set(staying):
            registry.remove(key)
        if before:
            with pytest.raises(BrakeEngaged):
                self._deployment.pull(full=True)
            assert self._known() == before
            for _ in range(2):
                self._advance(timedelta(minutes=10))
                with contextlib.suppress(BrakeEngaged):
                    self._deployment.pull()
                assert self._known() == before, self.seed
            self.tally.brakes += 1
        for row in rows.values():
            registry.put(row)
        self._lagging = [(due + timedelta(minutes=20), apply) for due, apply in late]
        self._mend()

    # -- faults and lies on the way ----------------------------------------------------------

    def _fault(self, request: Request) -> Reply | None:
        listing = "/servers?" in request.target
        if self._random.random() < self._midwalk and listing:
            self._change()
        if listing and (lie := self._lie(request)):
            self.tally.lies += 1
            return lie
        if self._random.random() >= self._trouble:
            return None
        self.tally.faults += 1
        good = self._upstream.registry.answer(request)
        half = len(good.body) // 2
        choices = [
            Reply(429, b"<html>slow down</html>", {"Retry-After": "1"}),
            Reply(500, b'{"title":"Internal Server Error"}'),
            Reply(502, b"<html>bad gateway</html>"),
            Reply(504, b"<html>time is up</html>", pause=0.01),
            Reply(200, good.body[:half]),
            Reply(200, good.body, cut=half),
            Reply(good.status, good.body, good.headers, pause=0.002),
            Reply(200, b"\xff\x00garbage"),
            Reply(200, b"<html>maintenance</html>"),
            Reply(200, b'{"servers":[]}'),
            Reply(200, _CURSOR.sub(b'"x":""', good.body)) if listing else _EMPTY,
            Reply(200, _CURSOR.sub(b'"nextCursor":"%b"' % NAMES[3].encode(), good.body)),
            self._stale(request),
        ]
        # Never twice in a row: two empty lists are also the true answer of a quiet registry.
        if listing and not self._emptied:
            choices.append(_EMPTY)
        reply = self._random.choice(choices)
        self._emptied = reply is _EMPTY
        return reply

    def _lie(self, request: Request) -> Reply | None:
        """The lie that lasts for the whole pull: missing rows, an old cache, or lost cursors."""
        if self._mood == "cached":
            return self._stale(request)
        if self._mood == "lying" and self._shows_known(request):
            self._honest -= 1
            return _EMPTY if self._honest < 0 else None
        if self._mood == "cursorless" and self._random.random() < 0.5:
            good = self._upstream.registry.answer(request)
            return Reply(200, _CURSOR.sub(b'"x":""', good.body), good.headers)
        return None

    def _shows_known(self, request: Request) -> bool:
        """Whether the true answer shows a row that the warehouse already holds unchanged."""
        body = self._upstream.registry.answer(request).body
        return any(
            key in self._held and self._held[key][4] == row.updated_at  # the order of `stored`
            for key, row in self._upstream.registry.rows().items()
            if key not in self.spoiled and self._upstream.registry.body(key) in body
        )

    def _stale(self, request: Request) -> Reply:
        """The answer of an edge cache from before the last changes."""
        past = ScriptedRegistry()
        past.page_cap = self._upstream.registry.page_cap
        for row in self._random.choice(self._pasts[-3:] or [{}]).values():
            past.put(row)
        reply = past.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, "X-Registry-Cache": "STALE"})

    # -- the oracle --------------------------------------------------------------------------

    def _check(self, *, everything: bool) -> None:
        truth = {key: visible(row) for key, row in self._upstream.registry.rows().items()}
        known = self._known()
        with self._deployment.warehouse.session() as session:
            doubled = session.text(
                "SELECT name FROM entries GROUP BY name, version, upstream HAVING count(*) > 1"
            ).num_rows
        assert doubled == 0
        for key in sorted(set(truth) | set(known)):
            mine, theirs = known.get(key), truth.get(key)
            if not everything:
                if key in self.silent | self.spoiled:
                    continue
                if key[0] in self.flipped and mine and theirs:
                    mine, theirs = mine[:-1], theirs[:-1]  # all but the latest flag
            assert mine == theirs, (self.seed, key, mine, theirs)

    def _quiet(self) -> None:
        self._trouble = self._midwalk = 0.0
        self._mood = ""

    def _quarantined(self) -> list[dict[str, Any]]:
        with self._deployment.warehouse.session() as session:
            return session.rows("report/list_quarantine", released=False)

    def _known(self) -> State:
        with self._deployment.warehouse.session() as session:
            rows = session.text(
                "SELECT e.*, b.body FROM entries e JOIN bodies b ON b.hash = e.server_hash "
                "WHERE vanished_at IS NULL"
            ).to_pylist()
        return {(row["name"], row["version"]): stored(row) for row in rows}


def run_campaign(folder: Path, seeds: range) -> Tally:
    """Play one history per seed; the first that ends unequal to upstream raises with its seed."""
    tally = Tally()
    for seed in seeds:
        History(seed, folder / str(seed), tally).play()
        shutil.rmtree(folder / str(seed))
    return tally
