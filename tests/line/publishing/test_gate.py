"""The gate, and how an operator overrides it; broken documents; previews of a policy."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.demo.clock import FakeClock
from pipelines.errors import Refused, SomeFailed
from pipelines.line import Line
from pipelines.publish.gate import ShrinkLimits, examine
from pipelines.refresh import publish, refresh
from serve.errors import PolicyInvalid
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import entry, served, with_body
from tests.support.feeds import publish as publish_entries
from tests.support.policies import HEAD, make_team, published, team, verdicts

DAY = timedelta(days=1)
STDIO = {"type": "stdio"}
NPM = {"registryType": "npm", "identifier": "x", "version": "1.0.0", "transport": STDIO}
OUT = """
[[rules]]
name = "out"
verdict = "exclude"
names = ["{names}"]
reason = "not wanted"
"""
GATE = """
[gate]
max_withdrawn = 0.1
floor = 2
"""


@pytest.fixture
def live(tmp_path: Path, upstream: Upstream, clock: FakeClock) -> Line:
    """A feed of 32 servers, three of them with a package."""
    deployment = make_team(tmp_path, upstream, clock, GATE)
    for number in range(29):
        upstream.registry.publish(server_json(f"a.b/s{number:02}"), START)
    for number in range(3):
        upstream.registry.publish(
            server_json(f"c.d/npm{number}", packages=[NPM], remotes=[]), START
        )
    published(deployment)
    clock.move_to(START + DAY)
    return deployment


def publish_again(deployment: Line) -> None:
    (policy,) = deployment.policies("team")
    publish(deployment, policy, report_step=lambda *_: None)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("a.b/s0?", r"10 of 32 running entries would go \(10 withdrawn; a.b/s00@1.0.0 is one\)"),
        ("c.d/npm?", "nothing of the kind npm would be left, of 3 entries, .* allows: 2"),
    ],
)
def test_a_loss_is_refused_and_the_last_good_edition_stays(
    live: Line, tmp_path: Path, names: str, says: str
) -> None:
    feed = live.feed("team")
    before = feed.current_id()
    team(tmp_path / "documents", GATE + OUT.format(names=names))
    with pytest.raises(Refused, match=says) as caught:
        publish_again(live)
    assert caught.value.exit_code == 3
    assert "--accept --reason WHY" in str(caught.value)
    assert feed.current_id() == before
    (policy,) = live.policies("team")
    live.switch(policy, accept=True, reason="we know", by="ops")
    assert feed.current_id() != before
    accepted = [
        (act.by, act.action, act.reason) for act in live.audit.read()[0] if act.action == "accept"
    ]
    assert accepted == [("ops", "accept", "we know")]


def test_a_small_kind_may_go(live: Line, tmp_path: Path) -> None:
    for names in ("c.d/npm0", "c.d/npm?"):
        team(tmp_path / "documents", GATE + OUT.format(names=names))
        publish_again(live)
    assert verdicts(live)["c.d/npm2@1.0.0"] == ("exclude", "out")


def test_what_the_floor_allows_passes(live: Line, tmp_path: Path) -> None:
    team(tmp_path / "documents", GATE + OUT.format(names="a.b/s00"))
    publish_again(live)
    assert verdicts(live)["a.b/s00@1.0.0"] == ("exclude", "out")


def test_what_comes_does_not_make_up_for_what_goes(
    live: Line, tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    for number in range(20):
        upstream.registry.publish(server_json(f"e.f/new{number:02}"), clock())
    team(tmp_path / "documents", GATE + OUT.format(names="a.b/s0?"))
    with pytest.raises(Refused, match="10 of 32 running entries would go"):
        published(live)


def test_bodies_that_strict_clients_cannot_decode_are_refused(tmp_path: Path) -> None:
    from serve.feed.feed import Feed

    feed = Feed(tmp_path, "team")
    publish_entries(feed, [entry("a.b/one"), entry("a.b/two")], "e1")
    edition = feed.current()
    assert edition is not None
    body = edition.body(0).replace(b'"isLatest":true', b'"isLatest":7')
    bad = with_body(edition, 0, body)
    problems = examine(feed, bad, ShrinkLimits(0.1, 1), now=lambda: START)
    assert any("strict clients could not decode a.b/one@1.0.0" in problem for problem in problems)
    hidden = with_body(edition, 0, b"{}")
    problems = examine(feed, hidden, ShrinkLimits(0.1, 1), now=lambda: START)
    assert any("did not meet a.b/one@1.0.0" in problem for problem in problems)


def test_one_feed_that_is_refused_stops_no_other(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, GATE)
    other = HEAD.replace('"team"', '"zoo"').replace('"/"', '"/zoo"')
    (tmp_path / "documents" / "zoo.toml").write_text(other)
    for number in range(10):
        upstream.registry.publish(server_json(f"a.b/s{number}"), START)
    refresh(deployment, report_step=lambda *_: None)
    clock.move_to(START + DAY)
    upstream.registry.publish(server_json("a.b/new"), clock())
    team(tmp_path / "documents", GATE + OUT.format(names="a.b/s*"))
    before = {name: deployment.feed(name).current_id() for name in ("team", "zoo")}
    with pytest.raises(SomeFailed, match=r"feed team: candidate .* was not switched"):
        refresh(deployment, report_step=lambda *_: None)
    after = {name: deployment.feed(name).current_id() for name in ("team", "zoo")}
    assert after["team"] == before["team"]
    assert after["zoo"] != before["zoo"]


def test_a_broken_document_takes_no_live_feed_down(
    live: Line, tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    from pipelines.server import compiler
    from serve.server.app import build_app
    from serve.server.feed_identities import served_feeds
    from tests.support.feeds import served_app

    settings = live.settings
    team(tmp_path / "documents", 'access = "key"', head=HEAD)
    with live.feed("team").held():
        live.feed("team").identify(live.policies("team")[0].served)
    (tmp_path / "documents" / "team.toml").write_text("name = 7")
    feeds = served_feeds(settings.feed_root, settings.feeds, compiler)
    assert [(feed.name, feed.base_path, feed.access) for feed in feeds] == [("team", "/", "key")]
    app = build_app(settings.feed_root, feeds, skew=0, per_minute=0, site="")
    with served_app(app) as client:
        assert client.ask("/v0.1/servers")[0] == 401
        assert client.ask("/health")[0] == 200
    with pytest.raises(SomeFailed, match=r"team\.toml: name"):
        refresh(live, report_step=lambda *_: None)


def test_a_preview_says_what_a_changed_document_would_do_and_leaves_nothing(
    live: Line, tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.registry.publish(server_json("a.b/new"), clock())
    live.pull()  # a change that does not depend on the policy
    changed = team(
        tmp_path / "changed",
        OUT.format(names="a.b/s0?")
        + """
[[overlays]]
name = "title"
kind = "retitle"
servers = ["a.b/s10"]
owner = "ops"
reason = "clearer"
expires = "never"
title = "Ten"
""",
    )
    live_before, folder = live.feed("team").current_id(), live.feed("team").folder
    files = sorted(str(path) for path in folder.rglob("*"))
    report = live.preview(changed / "team.toml")
    assert (report.added, report.withdrawn, report.changed, report.same) == (0, 10, 1, 22)
    first, last = report.changes[0], report.changes[-1]
    assert (first.change, first.name, first.before, first.after, first.reason) == (
        "withdraw",
        "a.b/s00",
        "default",
        "out",
        "not wanted",
    )
    assert last.change == "change"
    assert last.details == ("overlaid title: title is 'Ten' by ops: clearer",)
    assert live.feed("team").current_id() == live_before
    assert sorted(str(path) for path in folder.rglob("*")) == files
    assert not list(live.settings.feed_root.glob("preview-*"))
    with live.warehouse.session() as session:
        feeds = session.text("SELECT DISTINCT feed FROM verdicts").to_pylist()
    assert feeds == [{"feed": "team"}]
    odd = tmp_path / "odd.toml"
    odd.write_text("name = 7")
    with pytest.raises(PolicyInvalid, match=r"odd\.toml"):
        live.preview(odd)
    assert json.loads(msgspec.json.encode(report))["feed"] == "team"


def test_a_preview_of_a_new_feed_adds_everything(live: Line, tmp_path: Path) -> None:
    new = tmp_path / "zoo.toml"
    new.write_text(HEAD.replace('"team"', '"zoo"').replace('"/"', '"/zoo"'))
    report = live.preview(new)
    assert (report.added, report.withdrawn) == (32, 0)
    assert report.changes[0].before == "no edition"


def deny_all(folder: Path) -> Any:  # a path
    return team(folder, OUT.format(names="*"))


def test_the_served_feed_follows_the_document(live: Line, tmp_path: Path) -> None:
    deny_all(tmp_path / "documents")
    (policy,) = live.policies("team")
    with pytest.raises(Refused):
        publish(live, policy, report_step=lambda *_: None)
    live.switch(policy, accept=True, reason="a test")
    with served(live.settings.feed_root, ("team", "/")) as client:
        assert client.json("/v0.1/servers")["servers"] == []
