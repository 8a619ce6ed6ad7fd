"""The brake: an implausible loss upstream engages it, and an operator can override it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import Reply
from pipelines.demo.registry import ScriptedRegistry
from pipelines.errors import UsageError
from pipelines.line import Line
from tests.line.campaigns.states import states, truth
from tests.line.pulling.test_history import HOUR
from tests.support.deployments import START, Upstream, server_json
from warehouse.errors import BrakeEngaged


def test_a_wiped_upstream_engages_the_brake_and_the_operator_can_pass_it(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    before = states(deployment)
    for key in list(upstream.registry.rows())[:90]:
        upstream.registry.remove(key)
    clock.move_to(START + HOUR)
    with pytest.raises(BrakeEngaged, match="90 of 180 known entries are gone") as caught:
        deployment.pull(full=True)
    assert "--accept-shrink" in str(caught.value)
    assert states(deployment) == before
    deployment.pull(accept_shrink=True, reason="it is right")
    clock.move_to(START + 2 * HOUR)
    deployment.pull(accept_shrink=True, reason="it is right")
    assert states(deployment) == truth(upstream)


def test_after_the_brake_upstream_is_asked_again_and_one_yes_is_enough(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    rows = upstream.registry.rows()
    for key in list(rows)[:90]:
        upstream.registry.remove(key)
    clock.move_to(START + HOUR)
    with pytest.raises(BrakeEngaged):
        deployment.pull(full=True)
    for row in rows.values():
        upstream.registry.put(row)
    assert deployment.pull(full=True).missing == 0
    for key in list(rows)[:90]:
        upstream.registry.remove(key)
    deployment.pull(accept_shrink=True, reason="it is right")
    clock.move_to(START + 2 * HOUR)
    deployment.pull(full=True)
    assert states(deployment) == truth(upstream)


def test_names_read_again_do_not_look_like_a_loss_the_next_day(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    for number in range(60):
        upstream.registry.publish(server_json(f"a.b/s{number:02d}"), START - HOUR)
    for minor in range(40):
        upstream.registry.publish(server_json("a.b/many", f"1.{minor}.0"), START - HOUR)
        row = upstream.registry.rows()["a.b/many", f"1.{minor}.0"]
        upstream.registry.put(replace(row, is_latest=False))
    assert deployment.pull().reread_names == 1
    clock.move_to(START + HOUR)
    assert deployment.pull(full=True).missing == 0


def test_an_empty_answer_loses_nothing(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    before = states(deployment)
    empty = b'{"servers":[],"metadata":{"count":0}}'
    full_of_servers.fault = lambda _: Reply(200, empty, {"Content-Type": "application/json"})
    clock.move_to(START + HOUR)
    watermark = deployment.status().upstreams[0]["watermark"]
    for full in (False, True):  # an hourly pull looks whether anything is there at all
        with pytest.raises(BrakeEngaged, match="it is empty where 180 entries are known"):
            deployment.pull(full=full)
    assert states(deployment) == before
    assert deployment.status().upstreams[0]["watermark"] == watermark


def test_after_a_brake_nothing_is_deleted_until_a_full_walk_passes(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    clock.move_to(START + HOUR / 2)
    upstream.registry.publish(server_json("io.github.o/new"), clock())
    deployment.pull()
    before = states(deployment)
    rows = upstream.registry.rows()
    for key in [*list(rows)[:90], ("io.github.o/new", "1.0.0")]:
        upstream.registry.remove(key)
    clock.move_to(START + HOUR)
    with pytest.raises(BrakeEngaged):
        deployment.pull(full=True)
    # The known entry in their window is not shown, and its detail route says 404.
    for minutes in (65, 70, 75):
        clock.move_to(START + timedelta(minutes=minutes))
        deployment.pull()
        assert states(deployment) == before
        assert [one.subject for one in deployment.status().problems][:1] == ["upstream official"]
    upstream.registry.put(rows["io.github.o/new", "1.0.0"])
    for key in list(rows)[:90]:
        upstream.registry.put(rows[key])
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull(full=True).vanished == 0
    upstream.registry.publish(server_json("io.github.o/newer"), clock())
    deployment.pull()
    upstream.registry.remove(("io.github.o/newer", "1.0.0"))
    clock.move_to(START + 2 * HOUR + timedelta(minutes=5))
    assert deployment.pull().vanished == 1  # a full walk has passed


def test_a_damaged_account_may_have_had_a_brake_so_nothing_is_deleted(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    for name in ("one", "two"):
        upstream.registry.publish(server_json(f"io.github.o/{name}"), clock())
    deployment.pull()
    before = states(deployment)
    account = deployment.settings.home / "state" / "upstreams" / "official.json"
    account.write_bytes(account.read_bytes()[:60])
    upstream.registry.remove(("io.github.o/one", "1.0.0"))
    for minutes in (5, 10):
        clock.move_to(START + timedelta(minutes=minutes))
        assert deployment.pull().vanished == 0
        assert states(deployment) == before
    clock.move_to(START + 2 * HOUR)
    assert deployment.pull(full=True).vanished == 1


def test_accepting_a_loss_is_one_act_with_a_reason_on_record(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    for key in list(full_of_servers.registry.rows())[:90]:
        full_of_servers.registry.remove(key)
    clock.move_to(START + 24 * HOUR)
    with pytest.raises(BrakeEngaged, match="--upstream official --accept-shrink --reason WHY"):
        deployment.pull(full=True)
    with pytest.raises(UsageError, match="add --reason WHY"):
        deployment.pull(accept_shrink=True)
    assert deployment.pull(accept_shrink=True, reason="they cleaned up", by="ops").vanished == 90
    assert states(deployment) == truth(full_of_servers)
    (brake, entry), problems = deployment.audit.read()
    assert (brake.action, brake.target, brake.by) == ("brake", "official", "subregistry")
    assert (entry.action, entry.target, entry.reason) == (
        "accept-shrink",
        "official",
        "they cleaned up",
    )
    assert not problems
    assert deployment.pull().vanished == 0
    assert not [one for one in deployment.status().problems if one.subject.startswith("upstream")]


def test_records_without_a_key_do_not_hide_a_loss(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    for number in range(100):
        upstream.registry.publish(server_json(f"a.b/s{number:03}"), START)
    deployment.pull()
    page = {"servers": [{"server": {}, "_meta": {}}] * 45, "metadata": {"count": 45}}
    reply = Reply(200, json.dumps(page).encode(), {"Content-Type": "application/json"})
    upstream.fault = lambda _: reply
    clock.move_to(START + HOUR / 6)
    with pytest.raises(BrakeEngaged):
        deployment.pull()


def test_one_hard_deletion_of_the_newest_engages_no_brake(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    deployment.pull()
    upstream.registry.remove(("io.github.o/s59", "1.2.0"))
    clock.move_to(START + 24 * HOUR)
    assert deployment.pull(full=True).vanished == 1


def test_a_list_that_is_old_without_saying_so_takes_nothing_back(
    full_of_servers: Upstream, deployment: Line, clock: FakeClock
) -> None:
    upstream = full_of_servers
    past = ScriptedRegistry()
    for row in upstream.registry.rows().values():
        past.put(row)
    deployment.pull()
    clock.move_to(START + HOUR)
    upstream.registry.set_status("io.github.o/s07", None, "deleted", "malware", clock())
    clock.move_to(START + 2 * HOUR)
    deployment.pull()
    clock.move_to(START + 24 * HOUR)
    upstream.fault = lambda request: past.answer(request) if "/servers?" in request.target else None
    deployment.pull(full=True)
    assert states(deployment) == truth(upstream)
    upstream.fault = lambda _: None
    assert deployment.pull().reread_names == 1
    assert states(deployment) == truth(upstream)


def test_an_emptied_upstream_can_be_accepted(
    upstream: Upstream, deployment: Line, clock: FakeClock
) -> None:
    for number in range(12):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START - HOUR * 9)
    deployment.pull()
    for key in upstream.registry.rows():
        upstream.registry.remove(key)
    clock.move_to(START + 24 * HOUR)
    assert deployment.pull(accept_shrink=True, reason="it is right").vanished == 12
    assert states(deployment) == {}
