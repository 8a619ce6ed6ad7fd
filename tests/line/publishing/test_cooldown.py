"""Cooldown: a version that is too young is held, announced, and admitted when it is due."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.packages import Release, SamplePackage
from pipelines.errors import GateRefused
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import served
from tests.support.policies import HEAD, make_team, published, shown, team, verdicts

DAY = timedelta(days=1)
WEEK = """
[cooldown]
days = 7
bypass = ["org.us/*"]
"""


def test_a_young_version_is_held_and_the_newest_old_one_is_the_latest(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, WEEK)
    upstream.registry.publish(server_json("a.b/one", "1.0.0"), START - 30 * DAY)
    upstream.registry.publish(server_json("a.b/fresh", "1.0.0"), START - DAY)
    published(deployment)  # the bootstrap uses upstream's publishedAt
    assert verdicts(deployment) == {
        "a.b/one@1.0.0": ("admit", "default"),
        "a.b/fresh@1.0.0": ("hold", "cooldown"),
    }
    clock.move_to(START + DAY)
    upstream.registry.publish(server_json("a.b/one", "1.1.0"), clock())
    upstream.registry.publish(server_json("org.us/own", "1.0.0"), clock())
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert shown(client) == ["a.b/one@1.0.0", "org.us/own@1.0.0"]
        latest = client.json("/v0.1/servers/a.b%2Fone/versions/latest")["server"]
        assert latest["version"] == "1.0.0"
        assert client.ask("/v0.1/servers/a.b%2Fone/versions/1.1.0")[0] == 404
        version = client.json("/explain/a.b/one/1.1.0")["versions"][0]
        assert (version["state"], version["verdict"], version["rule"]) == (
            "held",
            "hold",
            "cooldown",
        )
        assert version["heldUntil"].startswith("2026-01-13T12:00:00")
        assert version["nearest"][0]["test"] == "the clock passes 2026-01-13T12:00:00Z"
    clock.move_to(START + 8 * DAY - timedelta(seconds=1))
    published(deployment)
    assert verdicts(deployment)["a.b/one@1.1.0"] == ("hold", "cooldown")
    assert verdicts(deployment)["a.b/fresh@1.0.0"] == ("admit", "default")
    clock.move_to(START + 8 * DAY + timedelta(minutes=1))
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        latest = client.json("/v0.1/servers/a.b%2Fone/versions/latest")["server"]
        assert latest["version"] == "1.1.0"


def test_a_package_that_was_published_later_than_its_entry_counts(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, WEEK)
    for name in ("old", "young"):
        claim(upstream, f"a.b/{name}", "npm", name, "1.0.0")
        age = 90 * DAY if name == "old" else -DAY
        release = Release("1.0.0", START - age, f"a.b/{name}")
        upstream.packages.put("npm", SamplePackage(name, [release]))
    claim(upstream, "a.b/unknown", "npm", "never", "1.0.0")
    claim(upstream, "a.b/image", "oci", "ghcr.io/x/y:1", "")
    clock.move_to(START + 8 * DAY)
    deployment.pull()
    clock.move_to(START + 30 * DAY)  # the bootstrap was 22 days ago, but does not count
    published(deployment)
    outcomes = verdicts(deployment)
    for name in ("old", "young", "unknown"):  # nobody asked the registry yet
        assert outcomes[f"a.b/{name}@1.0.0"] == ("hold", "cooldown"), name
    with deployment.warehouse.session() as session:
        rows = session.text("SELECT name, held_until, reason FROM verdicts").to_pylist()
    assert {row["held_until"] for row in rows if row["name"] != "a.b/image"} == {None}
    assert "should be known" in rows[0]["reason"]
    deployment.profile()
    published(deployment)
    outcomes = verdicts(deployment)
    assert outcomes["a.b/old@1.0.0"] == ("admit", "default")
    assert outcomes["a.b/young@1.0.0"] == ("admit", "default")
    assert outcomes["a.b/unknown@1.0.0"] == ("hold", "cooldown")


def test_a_held_version_is_announced_with_its_instant_and_then_comes(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, WEEK)
    upstream.registry.publish(server_json("a.b/one", "1.0.0"), START - 30 * DAY)
    published(deployment)
    clock.move_to(START + DAY)
    for number in range(5):
        upstream.registry.publish(server_json(f"a.b/new{number}"), clock())
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        first = client.json("/changes")
        assert [change["kind"] for change in first["changes"]] == ["added", *["held"] * 5]
        held = first["changes"][1]
        assert held["name"] == "a.b/new0"
        assert held["heldUntil"].startswith("2026-01-13T12:00:00")
        assert held["publishedAt"] == first["changes"][5]["publishedAt"] > "2026-01-06T12:00:00"
        assert "entry" not in held
        assert client.paged("/changes?limit=2", "changes") == first["changes"]
        feed = client.json("/changes/feed.json")["items"]
        assert any("held until 2026-01-13" in item["content_text"] for item in feed)
        assert b"held until 2026-01-13" in client.ask("/changes/feed.rss")[2]
        sequence = first["metadata"]["sequence"]
        clock.move_to(clock() + timedelta(hours=1))
        upstream.registry.publish(server_json("a.b/more"), clock())
        published(deployment)  # versions that are already held are not announced again
        client.until(lambda: client.json("/health")["sequence"] > sequence)
        later = client.json(f"/changes?since_sequence={sequence}")["changes"]
        assert [(change["kind"], change["name"]) for change in later] == [("held", "a.b/more")]
        again = client.json("/changes")["changes"]
        assert again[1]["publishedAt"] == held["publishedAt"]
        clock.move_to(START + 9 * DAY)
        before = client.json("/health")["sequence"]
        published(deployment)
        client.until(lambda: client.json("/health")["sequence"] > before)
        later = client.json(f"/changes?since_sequence={before}")["changes"]
        assert {(change["kind"], change["name"]) for change in later} == {
            ("added", name) for name in ("a.b/more", *(f"a.b/new{n}" for n in range(5)))
        }


def test_with_latest_admitted_a_server_stays_through_the_cooldown(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, WEEK, head=HEAD + 'latest = "admitted"\n')
    for version in ("1.9.0", "1.10.0"):
        upstream.registry.publish(server_json("a.b/one", version), START - 30 * DAY)
    upstream.registry.publish(server_json("a.b/two", "1.0.0"), START - 30 * DAY)
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert shown(client) == ["a.b/one@1.10.0", "a.b/two@1.0.0"]
        explained = client.json("/explain/a.b/one/1.9.0")["versions"][0]
        assert (explained["verdict"], explained["rule"]) == ("exclude", "latest")
        assert "a newer one is admitted too" in explained["reason"]
        assert explained["nearest"][0]["test"] == "a newer version is admitted"
        clock.move_to(START + DAY)
        upstream.registry.publish(server_json("a.b/one", "2.0.0"), clock())
        published(deployment)
        assert verdicts(deployment) == {
            "a.b/one@1.9.0": ("exclude", "latest"),
            "a.b/one@1.10.0": ("admit", "default"),
            "a.b/one@2.0.0": ("hold", "cooldown"),
            "a.b/two@1.0.0": ("admit", "default"),
        }
        clock.move_to(START + 9 * DAY)
        upstream.registry.set_status("a.b/two", None, "deleted", "gone", clock())
        before = client.json("/health")["sequence"]
        published(deployment)
        client.until(lambda: client.json("/health")["sequence"] > before)
        assert shown(client) == ["a.b/one@2.0.0"]
    assert verdicts(deployment)["a.b/one@1.10.0"] == ("exclude", "latest")


def test_a_release_is_no_loss_where_one_version_is_shown(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    head = HEAD + 'latest = "admitted"\n'
    deployment = make_team(tmp_path, upstream, clock, "[gate]\nfloor = 2\n", head=head)
    for number in range(10):
        upstream.registry.publish(server_json(f"a.b/s{number}", "1.0.0"), START)
    published(deployment)
    clock.move_to(START + DAY)
    for number in range(9):
        upstream.registry.publish(server_json(f"a.b/s{number}", "1.1.0"), clock())
    published(deployment)
    clock.move_to(START + 2 * DAY)
    sequence = deployment.feed("team").current()
    upstream.registry.publish(server_json("a.b/s0", "1.2.0"), clock())
    published(deployment)
    after = deployment.feed("team").current()
    assert sequence is not None
    assert after is not None
    # Only the new version and the one before it changed: the oldest says the same as before.
    assert len(after.changed_rows()) == 2


def test_what_a_cooldown_would_take_out_is_said_before(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    deployment = make_team(tmp_path, upstream, clock, "[gate]\nfloor = 1\n")
    for number in range(3):
        claim(upstream, f"a.b/s{number}", "npm", f"s{number}", "1.0.0")
    published(deployment)
    team(tmp_path / "changed", WEEK + "[gate]\nfloor = 1\n[[rules]]\n" + LATEST)
    said = "the cooldown takes out 3 entries that the feed shows now"
    preview = deployment.preview(tmp_path / "changed" / "team.toml")
    assert preview.warnings[0].startswith(said)
    assert "3 because the cooldown holds them" in preview.gate[0]
    team(tmp_path / "documents", WEEK + "[gate]\nfloor = 1\n[[rules]]\n" + LATEST)
    (policy,) = deployment.policies("team")
    of_latest, of_live, of_name = deployment.check(policy).warnings
    assert "rule old reads is_latest" in of_latest
    assert of_live.startswith(said)
    assert of_name == "a.b/s9 is no server that was ever seen; check the spelling"
    deployment.curate(policy)
    deployment.build(policy)
    with pytest.raises(GateRefused, match="3 because the cooldown holds them"):
        deployment.switch(policy)


LATEST = """
name = "old"
verdict = "exclude"
when = "NOT is_latest"
reason = "an older version"

[[rules]]
name = "named"
verdict = "exclude"
names = ["a.b/s9", "a.b/s0@2*"]
reason = "named"
"""
