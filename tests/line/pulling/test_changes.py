"""The change feed: every change once, with its instant and the previous state."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipelines.cli.parser import main
from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.report.history import changes
from tests.support.deployments import START, Upstream, server_json

HOUR = timedelta(hours=1)


@pytest.fixture
def upstream(upstream: Upstream) -> Upstream:
    upstream.registry.publish(server_json("a.b/one"), START - HOUR * 9)
    upstream.registry.publish(server_json("a.b/two"), START - HOUR * 9)
    return upstream


def told(deployment: Line, since: datetime) -> set[tuple[str, str, str]]:
    rows = changes(deployment.warehouse, since.isoformat())
    return {(row["name"], row["version"], row["kind"]) for row in rows}


def test_every_kind_of_change_is_told(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    registry = upstream.registry
    deployment.pull()
    assert {kind for _, _, kind in told(deployment, START - HOUR)} == {"added"}

    def after(hours: int, *, full: bool = False) -> set[tuple[str, str, str]]:
        clock.move_to(START + hours * HOUR)
        before = clock()
        deployment.pull(full=full)
        return told(deployment, before)

    registry.publish(server_json("a.b/one", "2.0.0"), START + HOUR * 2)
    assert after(3) == {("a.b/one", "2.0.0", "added"), ("a.b/one", "1.0.0", "latest_moved")}
    registry.edit(("a.b/two", "1.0.0"), server_json("a.b/two", title="x"), START + HOUR * 4)
    assert after(5) == {("a.b/two", "1.0.0", "content_changed")}
    registry.set_status("a.b/two", None, "deprecated", "old", START + HOUR * 6)
    assert after(7) == {("a.b/two", "1.0.0", "status_changed")}
    registry.edit(("a.b/two", "1.0.0"), server_json("a.b/two", title="x"), START + HOUR * 8)
    assert after(9) == {("a.b/two", "1.0.0", "metadata_changed")}
    row = registry.rows()["a.b/two", "1.0.0"]
    registry.remove(("a.b/two", "1.0.0"))
    gone = after(24, full=True)
    assert gone == {
        ("a.b/two", "1.0.0", "vanished"),
        ("a.b/two", "1.0.0", "latest_moved"),
        ("a.b/one", "1.0.0", "metadata_changed"),  # its bytes now say that it is not the latest
    }
    registry.put(row)
    back = after(48, full=True)
    assert back == {("a.b/two", "1.0.0", "restored"), ("a.b/two", "1.0.0", "latest_moved")}
    assert after(49) == set()
    with deployment.warehouse.session() as session:
        everything = session.text("FROM changes ORDER BY changed_at").to_pylist()
    assert len(everything) == 2 + 2 + 1 + 1 + 1 + 3 + 2
    edited = next(row for row in everything if row["kind"] == "content_changed")
    assert edited["server_hash_before"] != edited["server_hash_after"]
    moved = next(row for row in everything if row["kind"] == "latest_moved")
    assert (moved["was_latest"], moved["is_latest"]) == (True, False)
    assert moved["server_hash_before"] == moved["server_hash_after"]


def test_going_on_from_the_last_instant_loses_and_doubles_nothing(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    read: list[dict[str, Any]] = []  # rows
    since = "1970-01-01"
    for hour in range(1, 9):
        for number in range(hour):
            upstream.registry.publish(server_json(f"a.b/s{number}", f"{hour}.0.0"), clock())
        # The clock sometimes goes back; the instants of commits still only rise.
        clock.move_to(START + (hour - 2 * (hour % 3 == 0)) * HOUR)
        deployment.pull(full=hour % 4 == 0)
        rows = changes(deployment.warehouse, since)
        read += rows
        since = max((row["changed_at"].isoformat() for row in rows), default=since)
    with deployment.warehouse.session() as session:
        everything = session.rows("report/list_changes", since=START - timedelta(days=9))
    assert read == everything
    assert len(
        {(row["changed_at"], row["name"], row["version"], row["kind"]) for row in read}
    ) == len(read)


def test_the_command_wants_an_instant(
    upstream: Upstream,
    deployment: Line,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployment.pull()
    monkeypatch.setenv("SUBREGISTRY_HOME", str(deployment.settings.home))
    assert main(["changes", "--since", "yesterday"]) == 2
    assert "write 2026-03-01" in capsys.readouterr().err
    assert main(["changes", "--since", "2026-01-01", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["changes", "--since", "2026-01-01"]) == 0
    assert capsys.readouterr().out.count("kind=added") == 2
    assert main(["changes", "--since", "2027-01-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out == ""
