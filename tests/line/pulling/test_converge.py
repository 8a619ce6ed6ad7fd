"""A deployment that pulls our own feed converges to it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.publish.gate import self_walk
from tests.line.pulling.inhouse import HOUR, walked
from tests.support.deployments import START, Upstream, make_deployment, server_json, upstream_server
from tests.support.feeds import Client, served


@pytest.fixture
def second(tmp_path: Path, clock: FakeClock) -> Iterator[tuple[Line, Upstream, Client]]:
    """A deployment, its upstream, and a client of the mirror that it serves."""
    with upstream_server(clock) as upstream:
        for number in range(40):
            for minor in range(3):
                at = START - timedelta(days=2) + timedelta(minutes=number * 3 + minor)
                upstream.registry.publish(
                    server_json(f"io.github.o/s{number:02d}", f"1.{minor}.0"), at
                )
        deployment = make_deployment(tmp_path / "first", upstream, clock)
        deployment.pull()
        walked(deployment)
        with served(deployment.settings.feed_root, ("mirror", "/feeds/mirror")) as client:
            yield deployment, upstream, client


def test_our_own_feed_pulled_by_ourselves_converges(
    tmp_path: Path, clock: FakeClock, second: tuple[Line, Upstream, Client]
) -> None:
    first, upstream, client = second
    url = f"http://127.0.0.1:{client.port}/feeds/mirror"
    third = make_deployment(tmp_path / "third", upstream, clock, upstream_url=url)
    third.pull()
    registry = upstream.registry
    for hour in range(1, 13):
        clock.move_to(START + hour * HOUR)
        at = clock() - timedelta(minutes=20)
        registry.publish(server_json(f"io.github.o/s{hour:02d}", "2.0.0"), at)
        registry.set_status(f"io.github.o/s{hour + 12:02d}", ["1.2.0"], "deleted", "bad", at)
        registry.set_status(f"io.github.o/s{hour + 20:02d}", None, "deprecated", "old", at)
        registry.remove((f"io.github.o/s{hour:02d}", "1.0.0"))
        first.pull(full=hour % 3 == 0)
        walked(first)
        clock.move_to(clock() + timedelta(minutes=5))
        report = third.pull()
        assert (report.kind, report.unreadable, report.unmet) == ("incremental", 0, 0)
        assert content(third) == content(first), hour
    assert third.pull(full=True).changed == 0
    walked(third)
    again = third.feed("mirror").current()
    assert again is not None
    assert self_walk(again, now=clock) == []


def content(deployment: Line) -> list[tuple[object, ...]]:
    """All entries; a vanished one counts as deleted, because a feed shows no difference."""
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entries JOIN contents USING (server_hash)").to_pylist()
    return sorted(
        (row["name"], row["version"], row["is_latest"], row["published_at"])
        + (
            ("deleted",)
            if gone(row)
            else (row["status"], row["status_message"], row["server_hash"])
        )
        for row in rows
    )


def gone(row: dict[str, object]) -> bool:
    return row["vanished_at"] is not None or row["status"] == "deleted"
