"""A scripted history: statuses, deletions, restores and bulk changes with one instant."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply, Request
from pipelines.line import Line
from tests.line.campaigns.states import states, truth
from tests.support.deployments import START, Upstream, server_json, upstream_server
from warehouse.errors import BrakeEngaged

HOUR = timedelta(hours=1)


def test_the_warehouse_follows_every_status_change(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream, registry = full_of_servers, full_of_servers.registry
    deployment.pull()
    assert states(deployment) == truth(upstream)
    one, two, three = "io.github.o/s01", "io.github.o/s02", "io.github.o/s03"
    plan: list[Callable[[datetime], None]] = [
        lambda at: registry.set_status(one, ["1.2.0"], "deprecated", "use another", at),
        lambda at: registry.set_status(two, ["1.2.0"], "deleted", "", at),
        lambda at: registry.set_status(three, None, "deleted", "spam", at),
        lambda at: registry.publish(server_json(two, "0.9.0"), at),
        lambda at: registry.set_status(two, ["1.2.0"], "active", "", at),
        lambda at: registry.set_status(three, None, "active", "", at),
        lambda at: registry.set_status(one, None, "deprecated", "all of it", at),
        lambda at: registry.publish(server_json("io.github.new/x", "1.0.0"), at),
        lambda at: registry.publish(server_json(one, "2.0.0-rc.1"), at),
    ]
    for hour, change in enumerate(plan, start=1):
        clock.move_to(START + hour * HOUR)
        change(START + hour * HOUR - timedelta(minutes=3))
        report = deployment.pull()
        assert report.kind == "incremental"
        assert states(deployment) == truth(upstream)


def test_a_quiet_registry_costs_three_requests(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    clock.move_to(START + HOUR)
    report = deployment.pull()
    assert (report.requests, report.new, report.changed) == (3, 0, 0)


def test_a_repeated_pull_changes_nothing(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    for full in (False, True, False):
        report = deployment.pull(full=full)
        assert (report.new, report.changed, report.vanished) == (0, 0, 0)
    with deployment.warehouse.session() as session:
        counts = session.text("SELECT count(*) AS n FROM history").to_pylist()
    assert counts == [{"n": 180}]


def test_a_full_walk_finds_what_changed_silently_and_what_is_gone(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    clock.move_to(START + HOUR)
    fixed = server_json("io.github.o/s05", "1.0.0", title="Corrected")
    upstream.registry.edit(("io.github.o/s05", "1.0.0"), fixed, None)
    upstream.registry.remove(("io.github.o/s07", "1.0.0"))
    assert deployment.pull().changed == 0
    report = deployment.pull(full=True)
    assert (report.changed, report.missing, report.vanished) == (1, 1, 1)
    assert states(deployment) == truth(upstream)
    upstream.registry.publish(server_json("io.github.o/s07", "1.0.0"), START + HOUR)
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull(full=True).changed == 1
    assert states(deployment) == truth(upstream)


def test_an_entry_that_is_only_missing_from_one_walk_is_kept(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    hidden = upstream.registry.rows()["io.github.o/s07", "1.0.0"]

    def hide_in_lists(request: Request) -> Reply | None:
        if request.target.startswith("/v0.1/servers?"):
            upstream.registry.remove(("io.github.o/s07", "1.0.0"))
            reply = upstream.registry.answer(request)
            upstream.registry.put(hidden)
            return reply
        return None

    upstream.fault = hide_in_lists
    clock.move_to(START + HOUR)
    report = deployment.pull(full=True)
    assert (report.missing, report.vanished) == (1, 0)
    upstream.fault = lambda _: None
    clock.move_to(START + 2 * HOUR)
    deployment.pull(full=True)
    with deployment.warehouse.session() as session:
        left = session.text("FROM entries WHERE missing_since IS NOT NULL").to_pylist()
    assert left == []


def test_another_upstream_starts_with_a_full_walk(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    with upstream_server(clock) as other:
        other.registry.publish(server_json("x.y/z"), START - timedelta(days=400))
        settings = deployment.settings.model_copy(update={"upstream_url": other.url})
        moved = Line(settings, clock=clock, sleep=lambda _: None)
        with pytest.raises(BrakeEngaged):
            moved.pull()
        assert moved.pull(accept_shrink=True, reason="it is right").new == 1


def test_a_name_that_cannot_be_read_again_holds_nothing_up(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    upstream.registry.set_status("io.github.o/s02", ["1.2.0"], "deleted", "", START + HOUR)
    upstream.fault = lambda request: Reply(500) if "/versions?" in request.target else None
    clock.move_to(START + 2 * HOUR)
    report = deployment.pull()
    assert (report.unsettled_names, report.changed) == (1, 1)
    upstream.fault = lambda _: None
    assert deployment.pull().reread_names == 1
    assert states(deployment) == truth(upstream)


def test_a_stale_page_does_not_move_the_watermark(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    first = deployment.pull()

    def stale(request: Request) -> Reply:
        reply = upstream.registry.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, "X-Registry-Cache": "STALE"})

    upstream.fault = stale
    clock.move_to(START + 3 * HOUR)
    report = deployment.pull()
    assert report.stale
    assert report.watermark == first.watermark
    upstream.fault = lambda _: None
    after = deployment.pull().watermark
    assert after is not None
    assert first.watermark is not None
    assert after > first.watermark


def test_an_unreadable_record_is_kept_and_stops_nothing(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    odd = upstream.registry.rows()["io.github.o/s09", "1.0.0"]
    broken = odd.server | {"name": "io.github.o/odd"}
    upstream.registry.put(
        type(odd)(broken, "paused", START - HOUR, START - HOUR, START - HOUR, True)
    )
    report = deployment.pull()
    assert (report.new, report.unreadable) == (180, 1)
    with deployment.warehouse.session() as session:
        kept = session.text("SELECT name, reason FROM quarantine").to_pylist()
    assert kept == [{"name": "io.github.o/odd", "reason": "the status 'paused' is unknown"}]


def test_a_version_called_latest_can_be_gone(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    at = START - timedelta(minutes=30)
    upstream.registry.publish(server_json("a.b/x", "1.0.0"), at)
    upstream.registry.publish(server_json("a.b/x", "latest"), at)
    first = deployment.pull().watermark
    upstream.registry.remove(("a.b/x", "latest"))
    clock.move_to(START + timedelta(minutes=20))
    report = deployment.pull()
    assert (report.unmet, report.vanished) == (1, 1)
    assert first is not None
    assert report.watermark is not None
    assert report.watermark > first


@pytest.mark.parametrize("tombstoned", [True, False])
def test_what_goes_back_to_an_earlier_state_is_followed(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock, tombstoned: bool
) -> None:
    upstream, key = full_of_servers, ("io.github.o/s01", "1.2.0")
    old = upstream.registry.rows()[key]
    upstream.registry.edit(key, server_json(*key, title="wrong"), START - HOUR)
    deployment.pull()
    clock.move_to(START + 24 * HOUR)
    if tombstoned:
        upstream.registry.remove(key)
        assert deployment.pull(full=True).vanished == 1
        clock.move_to(START + 48 * HOUR)
    upstream.registry.put(old)
    assert deployment.pull(full=True).changed == 0  # a list may be stale without saying so
    assert deployment.pull().changed == 1
    assert states(deployment) == truth(upstream)


def test_a_wrong_instant_of_the_future_does_not_stop_the_watermark(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream, key = full_of_servers, ("io.github.o/s01", "1.2.0")
    upstream.registry.edit(key, server_json(*key, title="wrong"), START + 999 * HOUR)
    first = deployment.pull().watermark
    upstream.registry.edit(key, server_json(*key, title="right"), START - 2 * HOUR)
    clock.move_to(START + 3 * HOUR)
    second = deployment.pull().watermark
    assert first is not None
    assert second is not None
    assert second > first
    deployment.pull(full=True)
    assert deployment.pull().changed == 1


def test_names_that_could_not_be_read_again_are_not_forgotten(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    upstream.registry.set_status("io.github.o/s02", ["1.2.0"], "deleted", "", START + HOUR)
    upstream.fault = lambda request: Reply(500) if "/versions?" in request.target else None
    clock.move_to(START + 6 * HOUR)
    assert deployment.pull().unsettled_names == 1
    clock.move_to(START + 12 * HOUR)
    assert deployment.pull().unsettled_names == 1
    upstream.fault = lambda _: None
    clock.move_to(START + 18 * HOUR)
    assert deployment.pull().reread_names == 1
    assert states(deployment) == truth(upstream)
    assert deployment.pull().reread_names == 0


def test_a_404_of_a_registry_without_detail_route_confirms_nothing(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    hidden = upstream.registry.rows()["io.github.o/s09", "1.0.0"]
    upstream.registry.remove(("io.github.o/s09", "1.0.0"))
    upstream.fault = lambda request: (
        Reply(404, b'{"title":"Not Found"}') if "/versions/" in request.target else None
    )
    clock.move_to(START + 24 * HOUR)
    report = deployment.pull(full=True)
    assert (report.missing, report.vanished) == (1, 0)
    upstream.registry.put(hidden)
    deployment.pull(full=True)
    assert states(deployment) == truth(upstream)


def test_what_only_the_detail_route_shows_holds_nothing_up_for_ever(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    key = ("io.github.o/s05", "1.0.0")
    row = upstream.registry.rows()[key]

    def hide(request: Request) -> Reply | None:
        if "/servers?" not in request.target:
            return None
        upstream.registry.remove(key)
        reply = upstream.registry.answer(request)
        upstream.registry.put(row)
        return reply

    upstream.fault = hide
    marks = []
    for day in range(1, 5):
        clock.move_to(START + day * 24 * HOUR)
        report = deployment.pull(full=True)
        marks.append(report.watermark)
        assert report.vanished == 0
    assert marks[0] == marks[1]
    assert marks[3] is not None
    assert marks[3] > START + 3 * 24 * HOUR
    assert states(deployment) == truth(upstream)
    upstream.registry.remove(key)
    upstream.fault = lambda _: None
    clock.move_to(START + 5 * 24 * HOUR)
    assert deployment.pull(full=True).vanished == 1
