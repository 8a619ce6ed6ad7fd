"""A deployment whose entries claim packages of real registries on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.profile.profile import ProfileReport
from tests.support.deployments import Upstream, make_deployment, server_json, upstream_server
from warehouse.database.session import Row


@dataclass
class Played:
    """Entries that claim packages, and what profiling makes of them.

    Each run is nine days after the previous one; by then everything is due.
    """

    upstream: Upstream
    deployment: Line
    clock: FakeClock

    def claim(self, name: str, kind: str, identifier: str, version: str, **server: Any) -> None:
        package = {"registryType": kind, "identifier": identifier, "transport": {"type": "stdio"}}
        if kind != "oci":
            package["version"] = version
        document = server_json(name, version, packages=[package], **server)
        self.upstream.registry.publish(document, self.clock() - timedelta(days=1))

    def profile(self) -> ProfileReport:
        self.clock.move_to(self.clock() + timedelta(days=9))
        self.deployment.pull()
        report = self.deployment.profile()
        assert not report.closed, report
        return report

    def confirm(self) -> None:
        """Profile three times over more than a day, so that an absence is confirmed."""
        for _ in range(3):
            self.profile()

    def packages(self) -> dict[str, Row]:
        with self.deployment.warehouse.session() as session:
            rows = session.text("FROM entry_packages").to_pylist()
        return {f"{row['name']}@{row['version']}": row for row in rows}

    def signals(self, key: str) -> set[str]:
        return set(self.packages()[key]["signals"])


MakeLine = Callable[[dict[str, dict[str, Any]]], Played]


@pytest.fixture
def make_line(tmp_path: Path) -> Iterator[MakeLine]:
    """Makes the line from settings of origins."""
    clock = FakeClock(datetime.now(UTC))
    with upstream_server(clock) as upstream:

        def make(origins: dict[str, dict[str, Any]]) -> Played:
            home = tmp_path / "home"
            return Played(upstream, make_deployment(home, upstream, clock, origins=origins), clock)

        yield make
