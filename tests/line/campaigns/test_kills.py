"""SIGKILL real processes at random instants, while the recorded registry keeps changing.

`make campaign` kills 240 times (SUBREGISTRY_KILLS=N), CI a few times. After some kills the same
command runs to its end; after some, the test audits the warehouse, the feeds and the disk.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from serve.edition.verification import verify
from tests.line.campaigns.campaign_state import stored, visible
from tests.support.deployments import Upstream, make_deployment, upstream_server
from tests.support.shared import base_dump, recorded_row, timeline

KILLS = int(os.environ.get("SUBREGISTRY_KILLS", "6"))
COMMANDS = ["pull"] * 4 + ["pull --full"] * 3 + ["run"] * 4 + ["run --full"] * 3
COMMANDS += ["profile", "run --profile", "curate", "build", "switch"]
KEYS = {
    "entries": "upstream, name, version",
    "history": "upstream, name, version, valid_from",
    "bodies": "hash",
    "contents": "server_hash",
    "packages": "server_hash, ordinal",
    "remotes": "server_hash, ordinal",
    "quarantine": "upstream, raw_hash",
    "bindings": "name",
    "walks": "walk_id",
    "state": "upstream",
    "package_refs": "registry_type, registry_base_url, identifier, version",
    "package_checks": "origin, package",
    "package_facts": "origin, package, observed_at",
    "version_facts": "origin, package, version, observed_at",
    "hosts": "origin",
    "verdicts": "feed, upstream, name, version",
    "editions": "feed, edition",
    "published_entries": "feed, name, version",
}


@dataclass
class Killer:
    deployment: Line
    upstream: Upstream
    source: random.Random = field(default_factory=lambda: random.Random(11))
    seconds: dict[str, float] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    running: subprocess.Popen[str] | None = None
    restored: int = 0

    def start(self, command: str) -> "subprocess.Popen[str]":
        settings = self.deployment.settings
        url = self.upstream.packages_url
        environment = {
            "PATH": os.environ["PATH"],
            "SUBREGISTRY_HOME": str(settings.home),
            "SUBREGISTRY_OFFLINE": "1",
            "SUBREGISTRY_UPSTREAM_URL": self.upstream.url,
            "SUBREGISTRY_UPSTREAM_RATE": "0",
            "SUBREGISTRY_UPSTREAM_PAGE": "20",
            "SUBREGISTRY_PACKAGE_RATE": "0",
            "SUBREGISTRY_PROFILE_SECONDS": "1",
            "SUBREGISTRY_KEEP_HOURS": "0",
            "SUBREGISTRY_ORIGINS": json.dumps(
                {
                    name: {"url": f"{url}/{path}"}
                    for name, path in {
                        "npm": "npm",
                        "pypi": "pypi",
                        "oci:ghcr.io": "oci/ghcr.io",
                        "oci:docker.io": "oci/docker.io",
                    }.items()
                }
            ),
        }
        self.running = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *command.split()],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.running

    def finish(self, command: str) -> None:
        """Run a command to its end."""
        begun = time.monotonic()
        _, stderr = self.start(command).communicate(timeout=300)
        assert self.running is not None
        if command == "switch" and "has no candidate" in stderr:
            return  # the last build had nothing to change
        if "Corrupt database file" in stderr:
            self.restore(stderr)
            self.finish(command)
            return
        assert self.running.returncode == 0, (command, stderr)
        self.seconds[command] = time.monotonic() - begun

    def restore(self, stderr: str) -> None:
        """DuckDB writes blocks of 256 KiB, and a kill within one tears it: follow the recipe."""
        home = self.deployment.settings.home
        copy = home / "analytics" / "warehouse.duckdb"
        assert f"copy {copy} to its place" in stderr
        (home / "warehouse.duckdb.wal").unlink(missing_ok=True)
        shutil.copyfile(copy, home / "warehouse.duckdb")
        self.restored += 1

    def kill(self, command: str) -> None:
        if command not in self.seconds:
            self.finish(command)
        process = self.start(command)
        time.sleep(self.source.uniform(0.15, 1.0) * self.seconds.get(command, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.kills[command] += process.returncode == -signal.SIGKILL

    def stop(self) -> None:
        if self.running is not None and self.running.poll() is None:
            self.running.kill()
            self.running.communicate()


@pytest.mark.timeout(0)
def test_what_is_killed_at_any_instant_loses_and_doubles_nothing(tmp_path: Path) -> None:
    steps = iter(timeline())
    clock = FakeClock(next(steps)[0] - timedelta(hours=1))
    with upstream_server(clock) as upstream:
        upstream.registry.page_cap = 20
        for entry in base_dump():
            upstream.registry.put(recorded_row(entry))
        killer = Killer(make_deployment(tmp_path / "home", upstream, clock), upstream)
        try:
            killer.finish("run --full")
            while killer.kills.total() < KILLS:
                # The recording ends after some 280 steps; then nothing changes any more.
                at, upserts = next(steps, (clock() + timedelta(hours=1), []))
                clock.move_to(at)
                for entry in upserts:
                    upstream.registry.put(recorded_row(entry))
                command = killer.source.choice(COMMANDS)
                killer.kill(command)
                if killer.source.random() < 0.25:
                    killer.finish(command)
                if killer.source.random() < 8 / max(KILLS, 80):
                    audit(killer)
            audit(killer)
        finally:
            killer.stop()
    print(f"\n{killer.kills.total()} kills: {dict(killer.kills)}, {killer.restored} restored")


def audit(killer: Killer) -> None:
    """Nothing is lost or doubled, everything is readable, no leftover files."""
    for _ in range(2):  # the first may resume a walk that a kill left behind
        killer.finish("run --full")
    deployment = killer.deployment
    truth = {key: visible(row) for key, row in killer.upstream.registry.rows().items()}
    with deployment.warehouse.session() as session:
        rows = session.text(
            "SELECT e.*, b.body FROM entries e JOIN bodies b ON b.hash = e.server_hash"
        ).to_pylist()
        for table, key in KEYS.items():
            doubled = session.text(f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1")
            assert doubled.num_rows == 0, (table, doubled.slice(0, 3).to_pylist())
        repeated = session.text(
            "SELECT name FROM history QUALIFY (server_hash, meta_hash, is_latest, vanished_at) IS "
            "NOT DISTINCT FROM lag((server_hash, meta_hash, is_latest, vanished_at)) OVER "
            "(PARTITION BY upstream, name, version ORDER BY valid_from)"
        )
        assert repeated.num_rows == 0
        editions = session.text("FROM editions ORDER BY feed, published_at").to_pylist()
    assert {(row["name"], row["version"]): stored(row) for row in rows} == truth
    assert len(rows) == len(truth)
    home = deployment.settings.home
    for name in ("default", "mirror"):
        feed = deployment.feed(name)
        live = feed.current_id()
        assert live is not None
        verify(feed.editions / live)
        published = [row for row in editions if row["feed"] == name]
        sequences = [row["sequence"] for row in published]
        assert sequences == sorted(set(sequences))
        assert published[-1]["edition"] == live
        recorded = [row["edition"] for row in published]
        # What went live between the copy and the damage is in the ledger alone.
        ledger = [edition for edition in feed.ledger.read() if edition in recorded]
        assert ledger == (recorded if killer.restored else list(feed.ledger.read()))
        kept = deployment.settings.keep_editions
        assert len(list(feed.editions.iterdir())) <= kept + 1
    mirror = deployment.feed("mirror").current()
    assert mirror is not None
    served = {tuple(mirror.key(index).decode().split("\0")) for index in range(mirror.count)}
    assert served <= truth.keys()
    assert len(truth) - len(served) == mirror.manifest.withheld
    assert len(list((home / "analytics").iterdir())) <= 3
    # An account that was cut off is written again by the next try of its step.
    assert not [path for path in home.rglob("*.part") if path.parts[-2] != "state"]
    assert not list((home / "spool").rglob("*.spool"))
