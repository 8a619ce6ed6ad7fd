"""Emergency blocks: the server leaves every live feed at once; only a lift brings it back."""

import errno
import json
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.audit import AuditLog
from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.refresh import publish, refresh
from serve.errors import BlocksBroken
from serve.feed.feed import Feed
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import Client, served

DAY = timedelta(days=1)
BAD = "a.b/bad"


@pytest.fixture
def live(deployment: Line, upstream: Upstream, clock: FakeClock) -> Line:
    """Two feeds, live with two editions each; the bad server has two versions."""
    upstream.registry.publish(server_json(BAD, "1.0.0"), START - DAY)
    for number in range(40):
        upstream.registry.publish(server_json(f"c.d/s{number:02}"), START)
    refresh(deployment, report_step=lambda *_: None)
    clock.move_to(START + DAY)
    upstream.registry.publish(server_json(BAD, "2.0.0"), clock())
    refresh(deployment, report_step=lambda *_: None)
    return deployment


def names(client: Client, target: str = "/v0.1/servers?limit=100") -> set[str]:
    return {entry["server"]["name"] for entry in client.paged(target, "servers")}


def test_a_block_is_seen_everywhere_within_seconds(live: Line, tmp_path: Path) -> None:
    root = live.settings.feed_root
    (mirror,) = live.policies("mirror")
    tree, listed = tmp_path / "tree", tmp_path / "registry.json"
    live.export(mirror, "static", tree)
    live.export(mirror, "registry", listed)
    assert BAD in listed.read_text()
    with served(root, ("default", "/"), ("mirror", "/feeds/mirror")) as client:
        editions = client.json("/feeds/mirror/editions")["editions"]
        begun = client.json("/v0.1/servers?limit=1")  # a walk in progress, past a.b/bad 1.0.0
        sequence = client.json("/health")["sequence"]
        since = live.clock().isoformat().replace("+00:00", "Z")
        first = client.json("/v0.1/servers?limit=100")["servers"][0]
        assert first["server"]["name"] == BAD
        reports = live.block(BAD, reason="it steals tokens", by="sec")
        assert {report.feed for report in reports if report.edition} == {"default", "mirror"}
        client.until(lambda: BAD not in names(client))
        for base in ("", "/feeds/mirror"):
            assert BAD not in names(client, f"{base}/v0.1/servers?limit=100")
            assert BAD not in names(client, f"{base}/v0.1/servers?limit=100&search=bad")
            for route in ("", "/versions", "/versions/latest", "/versions/1.0.0"):
                assert client.ask(f"{base}/v0.1/servers/a.b%2Fbad{route}")[0] == 404
            raw = f"{base}/v0.1/servers/a.b%2Fbad/versions/1.0.0?raw=true"
            assert client.ask(raw)[0] == 404
            assert client.ask(f"{raw}&include_deleted=true")[0] == 404
            assert b"steal" in client.ask(f"{base}/changes?limit=100")[2]
            assert b'"url"' not in client.ask(f"{base}/explain/a.b%2Fbad")[2]
            versions = client.json(f"{base}/explain/a.b%2Fbad")["versions"]
            assert {
                (version["state"], version["rule"], version["reason"]) for version in versions
            } == {("withdrawn", "block", "it steals tokens")}
        assert BAD not in json.dumps(client.json("/registry.json"))
        for edition in editions:
            pinned = f"/feeds/mirror/v0.1/servers?limit=100&edition={edition['edition']}"
            assert BAD not in names(client, pinned)
            detail = f"/feeds/mirror/v0.1/servers/a.b%2Fbad?edition={edition['edition']}"
            assert client.ask(detail)[0] == 404
        cursor, rest = begun["metadata"].get("nextCursor"), set()
        while cursor:
            page = client.json(f"/v0.1/servers?cursor={cursor}")
            rest |= {entry["server"]["name"] for entry in page["servers"]}
            cursor = page["metadata"].get("nextCursor")
        assert len(rest) == 40
        assert BAD not in rest
        later = client.json(f"/changes?since_sequence={sequence}")["changes"]
        assert [(change["kind"], change["name"], change["version"]) for change in later] == [
            ("withdrawn", BAD, "1.0.0"),
            ("withdrawn", BAD, "2.0.0"),
        ]
        gone = client.paged(f"/v0.1/servers?updated_since={since}&limit=100", "servers")
        statuses = {
            entry["_meta"]["io.modelcontextprotocol.registry/official"]["status"]
            for entry in gone
            if entry["server"]["name"] == BAD
        }
        assert statuses == {"deleted"}
    live.renew_exports()
    assert BAD not in listed.read_text()
    assert not (tree / "current" / "v0.1" / "servers" / "a.b" / "bad").exists()


def test_a_blocked_latest_version_hands_over_to_the_one_before(live: Line) -> None:
    with served(live.settings.feed_root, ("default", "/")) as client:
        assert client.json("/v0.1/servers/a.b%2Fbad")["server"]["version"] == "2.0.0"
        live.block(f"{BAD}@2.0.0", reason="broken build")
        client.until(lambda: client.ask("/v0.1/servers/a.b%2Fbad/versions/2.0.0")[0] == 404)
        entry = client.json("/v0.1/servers/a.b%2Fbad")
        assert entry["server"]["version"] == "1.0.0"
        assert entry["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"] is True
        assert entry == client.json("/v0.1/servers/a.b%2Fbad/versions/1.0.0")
        assert ("a.b/bad", "1.0.0") in client.keys("/v0.1/servers?version=latest&limit=100")


def test_it_stays_through_runs_and_rollbacks_until_it_is_lifted(
    live: Line, clock: FakeClock
) -> None:
    feed = live.feed("default")
    before = str(feed.current_id())
    live.block(BAD, reason="no", by="sec")
    clock.move_to(clock() + DAY)
    refresh(live, report_step=lambda *_: None)
    with live.warehouse.session() as session:
        rows = session.text("SELECT DISTINCT rule FROM verdicts WHERE name = 'a.b/bad'").to_pylist()
    assert rows == [{"rule": "block"}]
    with served(live.settings.feed_root, ("default", "/")) as client:
        assert BAD not in names(client)
        live.go_back(feed, before)
        client.until(lambda: client.json("/health")["edition"] == feed.current_id())
        assert BAD not in names(client)
        feed.set_hold(None)
        live.lift(BAD, reason="it was mended", by="sec")
        clock.move_to(clock() + DAY)
        refresh(live, report_step=lambda *_: None)
        client.until(lambda: BAD in names(client))
    acts = [(entry.by, entry.action, entry.target) for entry in live.audit.read()[0]]
    assert ("sec", "block", BAD) in acts
    assert ("sec", "lift", BAD) in acts


def test_it_works_while_the_feed_and_the_warehouse_are_busy(live: Line) -> None:
    feed = Feed(live.settings.feed_root, "default")
    with (
        served(live.settings.feed_root, ("default", "/"), ("mirror", "/feeds/mirror")) as client,
        feed.held(),
    ):
        reports = {report.feed: report for report in live.block(BAD, reason="now")}
        assert reports["default"].edition is None
        assert "another process" in reports["default"].trouble
        assert reports["mirror"].edition is not None
        client.until(lambda: BAD not in names(client))
        assert client.ask("/v0.1/servers/a.b%2Fbad")[0] == 404


def test_a_list_of_blocks_that_cannot_be_read_serves_nothing(live: Line) -> None:
    path = live.settings.feed_root / "blocks.json"
    path.write_text("[{")
    with served(live.settings.feed_root, ("default", "/")) as client:
        assert client.ask("/v0.1/servers")[0] == 503
        path.unlink()
        client.until(lambda: client.ask("/v0.1/servers")[0] == 200)
        live.block(BAD, reason="theft")
        path.unlink()
        client.until(lambda: client.ask("/v0.1/servers")[0] == 503)
        with pytest.raises(BlocksBroken, match="is gone"):  # another block does not lift this one
            live.block("c.d/s01", reason="x")
        path.write_text("[]")
        client.until(lambda: client.ask("/v0.1/servers")[0] == 200)


def test_a_block_works_on_a_full_disk(
    live: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with served(live.settings.feed_root, ("default", "/")) as client:
        assert BAD in names(client)
        with monkeypatch.context() as patch:
            patch.setattr("serve.disk.replace_file", full)
            patch.setattr("serve.build.writer.sync", full)
            patch.setattr(AuditLog, "add", full)
            reports = live.block(BAD, reason="theft")
        assert all(report.hidden for report in reports)
        assert "No space left" in next(report.trouble for report in reports)
        client.until(lambda: BAD not in names(client))
    assert "is blocked, but that is not in the audit log" in caplog.text


def test_a_block_of_what_nobody_knows_waits_for_it(
    live: Line, upstream: Upstream, clock: FakeClock
) -> None:
    live.block("x.y/later", reason="seen elsewhere")
    upstream.registry.publish(server_json("x.y/later"), clock())
    live.pull()
    for policy in live.policies():
        publish(live, policy, report_step=lambda *_: None)
    with served(live.settings.feed_root, ("default", "/")) as client:
        assert "x.y/later" not in names(client)
        version = client.json("/explain/x.y%2Flater")["versions"][0]
        assert (version["state"], version["rule"]) == ("excluded", "block")
        assert version["nearest"][0]["test"] == "its block stands"


def test_the_audit_log_shows_what_was_changed_and_bears_many_writers(
    tmp_path: Path, clock: FakeClock
) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", now=clock)

    def write(who: str) -> None:
        for number in range(20):
            log.add("block", f"a.b/{number}", reason='it\'s "bad"\nvery', by=who)

    threads = [threading.Thread(target=write, args=(who,)) for who in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(log.read()[0]), log.read()[1]) == (40, [])
    path = tmp_path / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5] + lines[6:]))
    assert "line 6" in log.read()[1][0]
    path.write_bytes(b"".join(lines[:5]) + lines[5].replace(b"bad", b"fad") + b"".join(lines[6:]))
    assert "line 7" in log.read()[1][0]
    path.write_bytes(b"".join(lines[:5]) + lines[5][:30])
    log.add("block", "a.b/after", reason="a torn line before it")
    entries, problems = log.read()
    assert ([entry.target for entry in entries][-1], len(entries), len(problems)) == (
        "a.b/after",
        6,
        1,
    )
