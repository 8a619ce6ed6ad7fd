"""Kinds of upstreams: what the OpenAPI document leaves open is read, and completed."""

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.upstreams.kinds import Kind
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply
from pipelines.demo.registry import OFFICIAL
from pipelines.errors import UsageError
from pipelines.line import Line
from pipelines.pull.completion import OBSERVED
from pipelines.refresh import publish, refresh
from pipelines.server import listen, serving
from pipelines.settings import load_settings
from tests.line.campaigns.states import states, truth
from tests.line.pulling.inhouse import HOUR, walked
from tests.line.pulling.loose import Json, LooseRegistry, key_of
from tests.support.deployments import START, Upstream, make_deployment, server_json
from tests.support.feeds import served
from tests.support.shared import require
from warehouse.errors import BrakeEngaged


def shown(deployment: Line) -> dict[tuple[str, str], Json]:
    """The official block of every entry that the feed `mirror` lists, after a refresh."""
    (mirror,) = deployment.policies("mirror")
    publish(deployment, mirror, report_step=lambda *_: None)
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        page = client.json("/v0.1/servers?limit=100&include_deleted=true")
    return {key_of(entry): entry["_meta"] for entry in page["servers"]}


@pytest.mark.parametrize("case", ["07-upstream-generic-meta", "08-upstream-no-metadata"])
def test_a_valid_page_is_read(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, case: str
) -> None:
    page = require(f"cases/{case}/page.json").read_bytes()
    with LoopbackServer(lambda _: Reply(200, page), clock=clock) as server:
        deployment = make_deployment(tmp_path / "home", upstream, clock, upstream_url=server.url)
        for _ in range(2):
            report = deployment.pull()
            assert (report.kind, report.entries, report.unreadable) == ("full", 1, 0)
        assert walked(deployment) == [("org.t/a", "1.0.0")]


def test_a_loose_registry_is_read_whole_each_time_and_completed(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    loose.put("com.example/b", "1.0.0")
    loose.put("com.example/b", "1.10.0")
    loose.put("com.example/b", "1.9.0", status="Deprecated", statusMessage="use 1.10")
    loose.put("com.example/a", status="deleted", publishedAt="2025-01-02T03:04:05Z")
    loose.put("com.example/c", "2.0.0", isLatest=False)
    loose.put("com.example/c", "1.0.0", isLatest=True)
    report = with_loose.pull()
    assert (report.kind, report.new, report.pages, report.reads_as) == ("full", 6, 3, Kind.REGISTRY)
    blocks = shown(with_loose)
    for meta in blocks.values():
        assert meta[OFFICIAL].keys() >= {
            "status",
            "statusChangedAt",
            "publishedAt",
            "updatedAt",
            "isLatest",
        }
    latest = {key for key, meta in blocks.items() if meta[OFFICIAL]["isLatest"]}
    assert latest >= {("com.example/b", "1.10.0"), ("com.example/c", "1.0.0")}
    assert len({name for name, _ in latest}) == len(latest)
    old = blocks["com.example/b", "1.9.0"]
    assert (old[OFFICIAL]["status"], old[OFFICIAL]["statusMessage"]) == ("deprecated", "use 1.10")
    assert old["org.example/stars"] == {"count": 3}
    ours = blocks["com.example/b", "1.0.0"][OBSERVED]["members"]
    assert ours == ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"]
    assert "isLatest" not in blocks["com.example/c", "1.0.0"][OBSERVED]["members"]
    assert not [target for target in loose.targets if "updated_since" in target]

    clock.move_to(START + HOUR)
    again = with_loose.pull()
    assert (again.kind, again.new, again.changed, again.unreadable) == ("full", 0, 0, 0)
    assert shown(with_loose) == blocks


def test_changes_of_a_loose_registry_get_instants_of_ours(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    for name in ("com.example/a", "com.example/b", "com.example/c"):
        loose.put(name)
    with_loose.pull()
    before = shown(with_loose)
    clock.move_to(START + HOUR)
    loose.put("com.example/a", status="DEPRECATED")
    loose.add({"server": server_json("com.example/b", title="new")}, {})
    loose.entries = [entry for entry in loose.entries if key_of(entry)[0] != "com.example/c"]
    report = with_loose.pull()
    assert (report.changed, report.vanished) == (2, 1)  # its detail route says so too
    after = shown(with_loose)
    a, b = (after[name, "1.0.0"][OFFICIAL] for name in ("com.example/a", "com.example/b"))
    assert (a["status"], a["statusChangedAt"]) == ("deprecated", a["updatedAt"])
    for name, block in (("com.example/a", a), ("com.example/b", b)):
        earlier = before[name, "1.0.0"][OFFICIAL]
        assert block["publishedAt"] == earlier["publishedAt"]
        assert block["updatedAt"] > earlier["updatedAt"]
    assert b["statusChangedAt"] == before["com.example/b", "1.0.0"][OFFICIAL]["statusChangedAt"]
    assert after["com.example/c", "1.0.0"][OFFICIAL]["status"] == "deleted"


def test_an_unknown_status_keeps_the_entry_and_is_told(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    loose.put("com.example/a", status="archived", statusMessage="moved")
    assert with_loose.pull().unknown_statuses == {"archived": 1}
    block = shown(with_loose)["com.example/a", "1.0.0"][OFFICIAL]
    assert block["status"] == "active"
    assert block["statusMessage"] == "Its registry says: archived. moved"
    (row,) = with_loose.status().upstreams
    assert row["unknown_statuses"] == {"archived": 1}


def test_a_walk_of_which_nothing_can_be_read_is_an_error(
    with_loose: Line, loose: LooseRegistry, clock: FakeClock
) -> None:
    loose.entries = [{"server": {"name": "com.example/a"}}] * 2
    with pytest.raises(BrakeEngaged, match="none of its 1 records can be read"):
        with_loose.pull()
    loose.entries = []
    loose.put("com.example/a")
    assert with_loose.pull().new == 1


def test_a_kind_that_is_named_wins_and_must_fit(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, loose: LooseRegistry
) -> None:
    upstream.registry.publish(server_json("com.example/a"), START)
    loose.put("com.example/a")
    sources = {
        "as-registry": {"url": upstream.url, "kind": "registry"},
        "as-official": {"url": loose.url, "kind": "official"},
    }
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
    for _ in range(2):
        assert deployment.pull("as-registry").kind == "full"
    with pytest.raises(Exception, match="the page has no metadata"):
        deployment.pull("as-official")
    with pytest.raises(UsageError, match="is not of the kind folder"):
        load_settings(upstreams={"a": {"url": loose.url, "kind": "folder"}})
    with pytest.raises(UsageError, match="is not of the kind registry"):
        load_settings(upstreams={"a": {"url": "/srv/mcp", "kind": "registry"}})


def test_a_feed_of_ours_is_an_upstream_with_all_promises(
    tmp_path: Path, full_of_servers: Upstream, clock: FakeClock
) -> None:
    upstream = full_of_servers
    first = make_deployment(tmp_path / "first", upstream, clock)
    refresh(first, report_step=lambda *_: None)
    sock = listen("127.0.0.1", 0)
    with serving(first.settings, sock):
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/feeds/mirror"
        second = make_deployment(tmp_path / "second", upstream, clock, upstreams={"ours": url})
        report = second.pull()
        assert (report.kind, report.reads_as) == ("full", Kind.OFFICIAL)
        assert states(second).keys() == truth(upstream).keys()


def test_a_mirror_of_the_official_registry_is_known_by_its_first_page(
    tmp_path: Path, full_of_servers: Upstream, clock: FakeClock
) -> None:
    deployment = make_deployment(tmp_path / "home", full_of_servers, clock)
    assert deployment.pull().reads_as is Kind.OFFICIAL
    clock.move_to(START + timedelta(minutes=5))
    assert deployment.pull().kind == "incremental"
