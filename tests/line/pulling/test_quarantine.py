"""Records that cannot be read are kept, requested again and settled; they block nothing."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from connectors.errors import UnexpectedStatus
from pipelines.cli.parser import main
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply
from pipelines.line import Line
from tests.support.deployments import START, Upstream, server_json

HOUR = timedelta(hours=1)
KEY = ("a.b/odd", "1.0.0")


@pytest.fixture
def odd(upstream: Upstream) -> Upstream:
    """Ten good servers and one whose only version cannot be read."""
    for number in range(10):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START - HOUR * number)
    upstream.registry.publish(server_json(*KEY), START - 5 * HOUR)
    spoil(upstream)
    return upstream


def spoil(upstream: Upstream, by: bytes = b"\\ud800") -> None:
    good = upstream.registry.rows()[KEY].encode()
    upstream.registry.spoil(KEY, good.replace(b"The server", by))


def mend(upstream: Upstream) -> None:
    upstream.registry.put(upstream.registry.rows()[KEY])


def listed(deployment: Line) -> list[dict[str, Any]]:  # rows
    with deployment.warehouse.session() as session:
        return session.rows("report/list_quarantine", released=True)


def test_it_neither_stops_the_walk_nor_holds_the_watermark(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    report = deployment.pull()
    assert (report.new, report.unreadable) == (10, 1)
    assert report.watermark is not None
    clock.move_to(START + HOUR)
    after = deployment.pull().watermark
    assert after is not None
    assert after > report.watermark
    (row,) = listed(deployment)
    assert (row["name"], row["version"]) == KEY
    assert "surrogate" in row["reason"]
    assert deployment.status().upstreams[0]["quarantined"] == 1


def test_the_figures_follow_what_counts_as_no_change(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream.registry.publish(server_json("a.b/good"), START - HOUR)
    deployment.pull()
    first = deployment.status().upstreams[0]
    clock.move_to(START + HOUR)
    upstream.registry.publish(server_json(*KEY), clock())
    spoil(upstream)
    report = deployment.pull()
    assert (report.new, report.changed, report.unreadable) == (0, 0, 1)
    assert deployment.status().upstreams[0]["quarantined"] == 1
    upstream.registry.remove(KEY)
    clock.move_to(START + 24 * HOUR)
    assert deployment.pull().retried == 1
    assert deployment.status().upstreams[0]["quarantined"] == 0
    clock.move_to(START + 25 * HOUR)
    deployment.pull(full=True)
    assert deployment.status().upstreams[0]["full_walk_at"] > first["full_walk_at"]


def test_it_is_asked_for_again_ever_more_rarely(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    tries = []
    for hour in range(1, 72):
        clock.move_to(START + hour * HOUR)
        if deployment.pull().retried:
            tries.append(hour)
    assert tries[0] in (1, 2)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[:2] == [3, 5]
    assert sum("/versions/1.0.0?" in target for target in odd.targets) == len(tries)


def test_what_is_mended_silently_comes_with_the_next_try(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    mend(odd)
    clock.move_to(START + 2 * HOUR)
    report = deployment.pull()
    assert (report.kind, report.retried, report.new) == ("incremental", 1, 1)
    (row,) = listed(deployment)
    assert row["released_because"] == "read"
    clock.move_to(START + 9 * HOUR)
    assert deployment.pull().retried == 0


def test_what_is_mended_silently_comes_with_the_next_reconcile(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    mend(odd)
    clock.move_to(START + timedelta(minutes=30))
    assert deployment.pull().retried == 0
    assert deployment.pull(full=True).new == 1
    assert listed(deployment)[0]["released_because"] == "read"


def test_what_was_known_before_stays(odd: Upstream, deployment: Line, clock: FakeClock) -> None:
    mend(odd)
    deployment.pull()
    spoil(odd, b"\xff")
    clock.move_to(START + 24 * HOUR)
    for _ in range(3):
        report = deployment.pull(full=True)
        assert (report.missing, report.vanished, report.unreadable) == (0, 0, 1)
        clock.move_to(clock() + 24 * HOUR)
    with deployment.warehouse.session() as session:
        (row,) = session.text("FROM entries WHERE name = 'a.b/odd'").to_pylist()
    assert row["vanished_at"] is None


def test_another_unreadable_record_replaces_it_and_one_that_is_gone_is_settled(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    spoil(odd, b"\xff")
    clock.move_to(START + HOUR)
    deployment.pull(full=True)
    assert [row["released_because"] for row in listed(deployment)] == [None, "replaced"]
    odd.registry.remove(KEY)
    clock.move_to(START + 4 * HOUR)
    assert deployment.pull().retried == 1
    assert {row["released_because"] for row in listed(deployment)} == {"gone", "replaced"}


def test_trouble_on_the_way_leaves_it_due(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    mend(odd)
    odd.fault = lambda request: Reply(500) if "/versions/" in request.target else None
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull().new == 0
    odd.fault = lambda _: None
    clock.move_to(START + 6 * HOUR)
    assert deployment.pull().new == 1


def test_a_record_without_a_readable_key_holds_nothing_up(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    odd.registry.edit(KEY, server_json(*KEY), START - timedelta(minutes=5))
    first = deployment.pull()
    odd.registry.spoil(KEY, b"42")
    clock.move_to(START + timedelta(minutes=50))
    report = deployment.pull()
    assert (report.unreadable, report.unmet) == (1, 0)
    assert first.watermark is not None
    assert report.watermark is not None
    assert report.watermark > first.watermark
    mend(odd)
    assert deployment.pull(full=True).unreadable == 0
    assert [row["released_because"] for row in listed(deployment)] == ["gone"]


def test_of_two_records_with_one_key_the_newer_is_taken_and_the_other_kept(
    odd: Upstream, deployment: Line
) -> None:
    old = odd.registry.rows()[KEY]
    mend(odd)
    odd.registry.edit(KEY, server_json(*KEY, title="newer"), START)
    newer = odd.registry.rows()[KEY]
    odd.registry.spoil(KEY, newer.encode() + b"," + old.encode())
    report = deployment.pull()
    assert (report.new, report.unreadable) == (11, 1)
    (row,) = listed(deployment)
    assert "same key and is newer" in row["reason"]
    with deployment.warehouse.session() as session:
        (entry,) = session.text("FROM current_entries WHERE name = 'a.b/odd'").to_pylist()
    assert entry["title"] == "newer"


def test_the_command_lists_it(
    odd: Upstream,
    deployment: Line,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployment.pull()
    monkeypatch.setenv("SUBREGISTRY_HOME", str(deployment.settings.home))
    assert main(["quarantine"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("open ")
    assert "name=a.b/odd" in line
    assert main(["quarantine", "--all", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["released_at"]) == ("a.b/odd", None)


def test_a_resumed_walk_settles_nothing_that_was_found_after_it_began(
    odd: Upstream, deployment: Line, clock: FakeClock
) -> None:
    mend(odd)
    for number in range(120):
        odd.registry.publish(server_json(f"b.c/s{number:03d}"), START - HOUR * 9)
    deployment.pull()
    clock.move_to(START + HOUR)
    odd.fault = lambda request: Reply(400) if "cursor=" in request.target else None
    with pytest.raises(UnexpectedStatus):
        deployment.pull(full=True)
    odd.fault = lambda _: None
    odd.registry.edit(KEY, server_json(*KEY, title="The server"), clock())
    spoil(odd)
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull().unreadable == 1
    assert deployment.pull(full=True).resumed_pages == 1
    assert [row["released_because"] for row in listed(deployment)] == [None]
