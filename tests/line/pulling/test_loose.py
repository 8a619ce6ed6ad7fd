"""Registries that are loose in odd ways: nothing flips from pull to pull, nothing is lost."""

import json
import random
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.upstreams.kinds import Kind
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.line import Line
from tests.line.campaigns.states import states, truth
from tests.line.pulling.inhouse import HOUR
from tests.line.pulling.loose import LooseRegistry, key_of
from tests.support.deployments import START, Upstream, make_deployment, server_json
from warehouse.curation.feeds import server_documents

DAY = timedelta(days=1)
WHOLE: dict[str, Any] = {
    "status": "active",
    "publishedAt": "2025-01-02T03:04:05Z",
    "updatedAt": "2025-01-02T03:04:05Z",
    "isLatest": True,
}


def rows(deployment: Line) -> dict[tuple[str, str], Any]:
    with deployment.warehouse.session() as session:
        found = session.text("FROM entries").to_pylist()
    return {(row["name"], row["version"]): row for row in found}


def test_any_order_and_equal_keys_change_nothing_from_pull_to_pull(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    for version in ("2025.9", "2025.10", "2025.11", "1.0.0+a", "1.0.0+b"):
        loose.put("com.example/a", version)
    loose.put("com.example/b")
    twin = {"server": server_json("com.example/b", title="twin")}
    loose.entries.append(twin)
    with_loose.pull()
    first = rows(with_loose)
    latest = [key for key, row in first.items() if row["is_latest"]]
    assert sorted(latest) == [("com.example/a", "1.0.0+b"), ("com.example/b", "1.0.0")]
    chance = random.Random(5)
    for hour in range(1, 5):
        clock.move_to(START + hour * HOUR)
        others = [entry for entry in loose.entries if entry is not twin]
        chance.shuffle(others)
        loose.entries = [*others, twin]
        report = with_loose.pull()
        assert (report.new, report.changed, report.vanished) == (0, 0, 0)
    assert rows(with_loose) == first


def test_a_date_that_goes_back_hides_no_change(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    for number in range(30):
        loose.put(f"com.example/s{number:02}")
    with_loose.pull()
    clock.move_to(START + DAY)
    for number in range(30):
        loose.put(f"com.example/s{number:02}", updatedAt="2025-06-01T00:00:00Z")
    loose.put("com.example/s00", status="deleted", updatedAt="2025-06-01T00:00:00Z")
    loose.put(
        "com.example/s01", updatedAt="0001-01-01T00:00:00Z", publishedAt="2025-06-01T00:00:00Z"
    )
    assert with_loose.pull().unreadable == 0
    state = rows(with_loose)
    assert state["com.example/s00", "1.0.0"]["status"] == "deleted"
    assert state["com.example/s00", "1.0.0"]["updated_at"] >= START + DAY
    clock.move_to(START + 2 * DAY)
    assert with_loose.pull().changed == 0


def test_a_version_that_was_not_read_keeps_its_place(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    loose.put("com.example/a", "1.0.0")
    loose.put("com.example/a", "2.0.0")
    loose.put("com.example/c")
    with_loose.pull()
    clock.move_to(START + DAY)
    (newest,) = [entry for entry in loose.entries if key_of(entry)[1] == "2.0.0"]
    newest["_meta"]["io.modelcontextprotocol.registry/official"] = {"publishedAt": "soon"}
    report = with_loose.pull()
    assert (report.unreadable, report.changed) == (1, 0)
    assert rows(with_loose)["com.example/a", "2.0.0"]["is_latest"]
    assert not rows(with_loose)["com.example/a", "1.0.0"]["is_latest"]


def test_entries_without_a_block_behind_a_whole_first_page_are_read(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    loose.put("com.example/z")
    for name in ("com.example/b", "com.example/a"):
        loose.put(name, **WHOLE)
    report = with_loose.pull()
    assert (report.reads_as, report.unreadable, report.new) == (Kind.REGISTRY, 0, 3)
    clock.move_to(START + HOUR)
    assert with_loose.pull().changed == 0


def test_whole_blocks_in_another_order_and_without_updated_since_are_read(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    for name in ("com.example/a", "com.example/b"):  # the newest first: b before a
        loose.put(name, **WHOLE)
    for hour in range(3):
        clock.move_to(START + hour * HOUR)
        assert with_loose.pull().reads_as is Kind.REGISTRY


def test_a_mirror_that_refuses_updated_since_is_read_whole(
    tmp_path: Path, full_of_servers: Upstream, clock: FakeClock
) -> None:
    def refuse(request: Request) -> Reply | None:
        return Reply(422, b"{}") if "updated_since" in request.target else None

    full_of_servers.fault = refuse
    deployment = make_deployment(tmp_path / "home", full_of_servers, clock)
    for hour in range(3):
        clock.move_to(START + hour * HOUR)
        assert deployment.pull().kind == "full"
    assert states(deployment).keys() == truth(full_of_servers).keys()


def test_a_drained_walk_that_was_not_committed_is_known_again(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.registry.publish(server_json("com.example/a"), START)
    deployment = make_deployment(tmp_path / "home", upstream, clock)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.pull.pull.commit_walk", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.pull()
    report = deployment.pull()
    assert (report.resumed_pages, report.reads_as) == (1, Kind.OFFICIAL)
    assert states(deployment) == truth(upstream)


def test_what_a_loose_walk_left_is_no_walk_of_the_official_kind(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list loses its cursors, so it is read loosely; the process dies before the commit."""
    for number in range(8):
        upstream.registry.publish(server_json(f"com.example/s{number}"), START)
    upstream.registry.page_cap = 2
    upstream.fault = lambda request: (
        _without_cursor(upstream.registry.answer(request)) if "cursor=" in request.target else None
    )
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstream_page=2)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.pull.pull.commit_walk", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.pull()
    upstream.fault = lambda _: None
    report = deployment.pull()
    assert (report.resumed_pages, report.reads_as) == (0, Kind.OFFICIAL)
    assert states(deployment) == truth(upstream)


def test_the_official_kind_corrects_instants_that_a_loose_walk_made(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    """Trouble: first an old copy is read, then a newer one with an instant before ours."""
    name = "com.example/a"
    upstream.registry.page_cap = 2
    for number in range(4):
        upstream.registry.publish(server_json(f"com.example/s{number}"), START)
    upstream.registry.publish(server_json(name), START + HOUR)
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstream_page=2)
    upstream.fault = lambda request: (
        _without_cursor(upstream.registry.answer(request)) if "cursor=" in request.target else None
    )
    assert deployment.pull().reads_as is Kind.REGISTRY
    # The edit bears an instant before the one that is stored, so a loose walk gives it another.
    (key,) = (key for key in upstream.registry.rows() if key[0] == name)
    upstream.registry.edit(key, {**server_json(name), "title": "edited"}, START)
    assert deployment.pull().reads_as is Kind.REGISTRY
    assert rows(deployment)[key]["updated_at"] > START + HOUR
    upstream.registry.edit(key, {**server_json(name), "title": "edited again"}, START)
    upstream.fault = lambda _: None
    assert deployment.pull().reads_as is Kind.OFFICIAL
    assert rows(deployment)[key]["updated_at"] == START
    with deployment.warehouse.session() as session:
        (shown,) = server_documents(session, [key])
    assert json.loads(shown)["title"] == "edited again"


def _without_cursor(reply: Reply) -> Reply:
    return Reply(200, re.sub(rb'"nextCursor":"[^"]*"', b'"x":""', reply.body), reply.headers)


def test_a_broken_loose_walk_starts_anew(
    with_loose: Line, upstream: Upstream, loose: LooseRegistry, clock: FakeClock
) -> None:
    for number in range(6):
        loose.put(f"com.example/s{number}")
    answer = loose.answer

    def expiring(request: Request) -> Reply:
        if "cursor=p2" in request.target and broken:
            return Reply(400, b'{"error":"cursor expired"}')
        return answer(request)

    broken = True
    with LoopbackServer(expiring, clock=clock) as server:
        sources = {"loose": server.url}
        home = with_loose.settings.home.parent / "other"
        other = make_deployment(home, upstream, clock, upstreams=sources)
        with pytest.raises(Exception, match="400"):
            other.pull()
        broken = False
        report = other.pull()
    assert (report.new, report.resumed_pages) == (6, 0)


def test_an_unreadable_wrapped_document_holds_its_name(with_inhouse: Line, inhouse: Path) -> None:
    server = json.loads((inhouse / "one.json").read_text())
    (inhouse / "two.json").write_text(json.dumps(server | {"name": "com.example/two"}))
    assert with_inhouse.pull("inhouse").new == 2
    text = json.dumps({"server": server, "_meta": {}})[:-2] + '"x": 1, "x": 2}}'
    (inhouse / "one.json").write_text(text)
    (inhouse / "two.json").unlink()
    report = with_inhouse.pull("inhouse")
    assert (report.unreadable, report.vanished) == (1, 1)
    (inhouse / "one.json").write_text(json.dumps(server | {"status": "archived"}))
    report = with_inhouse.pull("inhouse")
    assert (report.unknown_statuses, report.reads_as) == ({"archived": 1}, Kind.FOLDER)
