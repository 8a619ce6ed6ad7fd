"""Walks that break off, resume, or are committed just before the process ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.errors import UnexpectedStatus
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply, Request
from pipelines.line import Line
from pipelines.pull.spool import Spool
from tests.line.campaigns.states import states, truth
from tests.line.pulling.test_history import HOUR
from tests.support.deployments import START, Upstream, server_json, upstream_server


def test_a_broken_walk_goes_on_where_it_broke(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers

    def break_second_page(request: Request) -> Reply | None:
        return Reply(400, b"no") if "cursor=" in request.target else None

    upstream.fault = break_second_page
    with pytest.raises(Exception, match="answered 400"):
        deployment.pull()
    assert states(deployment) == {}
    upstream.fault = lambda _: None
    upstream.targets.clear()
    report = deployment.pull()
    assert (report.resumed_pages, len(upstream.targets)) == (1, 1)
    assert states(deployment) == truth(upstream)


def test_the_past_can_be_asked_for(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    before = clock()
    clock.move_to(START + HOUR)
    upstream.registry.set_status(
        "io.github.o/s01", None, "deleted", "", START + HOUR - timedelta(minutes=1)
    )
    deployment.pull()
    with deployment.warehouse.session() as session:
        counts = [
            session.text(
                "SELECT status, count(*)::INT AS n FROM entries_as_of($t) GROUP BY ALL "
                "ORDER BY status",
                {"t": at},
            ).to_pylist()
            for at in (before, clock())
        ]
    assert counts == [
        [{"status": "active", "n": 180}],
        [{"status": "active", "n": 177}, {"status": "deleted", "n": 3}],
    ]


def test_a_walk_that_was_committed_before_a_kill_is_not_counted_twice(
    full_of_servers: Upstream,
    deployment: Line,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upstream = full_of_servers
    deployment.pull()
    clock.move_to(START + 24 * HOUR)
    row = upstream.registry.rows()["io.github.o/s01", "1.0.0"]
    upstream.registry.remove(("io.github.o/s01", "1.0.0"))
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "clear", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.pull(full=True)
    upstream.registry.put(row)
    upstream.targets.clear()
    report = deployment.pull(full=True)
    assert (report.resumed_pages, report.vanished) == (0, 0)
    assert len(upstream.targets) >= 2
    assert states(deployment) == truth(upstream)


def test_an_incremental_pull_does_not_end_a_broken_full_walk(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    clock.move_to(START + HOUR)
    upstream.fault = lambda request: Reply(400) if "cursor=" in request.target else None
    with pytest.raises(UnexpectedStatus):
        deployment.pull(full=True)
    upstream.fault = lambda _: None
    upstream.registry.publish(server_json("io.github.o/s00", "9.0.0"), clock())
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull().new == 1
    assert states(deployment) == truth(upstream)
    report = deployment.pull(full=True)
    assert (report.resumed_pages, report.missing) == (1, 0)
    assert states(deployment) == truth(upstream)


def test_another_url_and_a_walk_that_was_not_whole_start_from_nothing(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    with upstream_server(clock) as other:
        for row in full_of_servers.registry.rows().values():
            other.registry.put(row)
        old = START - timedelta(days=300)
        other.registry.publish(server_json("x.y/z"), old)

        def stale(request: Request) -> Reply:
            reply = full_of_servers.registry.answer(request)
            return Reply(reply.status, reply.body, {"X-Registry-Cache": "STALE"})

        other.fault = stale
        settings = deployment.settings.model_copy(update={"upstream_url": other.url})
        moved = Line(settings, clock=clock, sleep=lambda _: None)
        assert moved.pull().watermark is None
        other.fault = lambda _: None
        report = moved.pull()
        assert (report.kind, report.new) == ("full", 1)


def test_flags_read_before_an_incremental_pull_undo_nothing_of_it(
    full_of_servers: Upstream,
    deployment: Line,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upstream, name = full_of_servers, "io.github.o/s00"
    deployment.pull()
    clock.move_to(START + HOUR)
    row = upstream.registry.rows()[name, "1.2.0"]
    upstream.registry.put(replace(row, is_latest=False))
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.pull.pull.commit_walk", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.pull(full=True)
    upstream.registry.put(row)
    upstream.registry.publish(server_json(name, "2.0.0"), clock())
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull().new == 1
    assert states(deployment) == truth(upstream)
    assert deployment.pull(full=True).resumed_pages == 2
    assert states(deployment) == truth(upstream)
