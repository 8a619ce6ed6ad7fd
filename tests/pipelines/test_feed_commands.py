"""Commands on the live feed: going back, holding, building from scratch, keys, blocks."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.cli.parser import main
from pipelines.publish.candidates import candidates
from serve.feed.feed import Feed
from tests.pipelines.conftest import said
from tests.support.deployments import START, Upstream, server_json


@pytest.fixture
def feed(home: Path) -> Feed:
    """The feed `mirror`, whose first edition is live."""
    assert main(["run"]) == 0
    return Feed(home / "feeds", "mirror")


def names(feed: Feed) -> list[str]:
    edition = feed.current()
    assert edition is not None
    return [
        edition.keys.pair(index)[0] for index in range(edition.count) if not edition.deleted(index)
    ]


def test_going_back_holds_the_feed_until_it_is_resumed(
    feed: Feed, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    first = feed.current_id()
    upstream.registry.publish(server_json("a.b/bad"), START)
    main(["run"])
    assert "a.b/bad" in names(feed)
    assert main(["switch", "--feed", "mirror", "--to", str(first)]) == 0
    assert "a.b/bad" not in names(feed)
    assert feed.current_id() not in (first, None)
    upstream.registry.publish(server_json("a.b/good"), START)
    capsys.readouterr()
    assert main(["run"]) == 0  # the other feed continues
    assert main(["switch", "--feed", "mirror"]) == 3
    assert "subregistry switch --feed mirror --resume" in capsys.readouterr().err
    assert names(feed) == ["a.b/one", "a.b/three", "a.b/two"]
    main(["status", "--json"])
    feeds = {row["feed"]: row["held"] for row in json.loads(capsys.readouterr().out)["feeds"]}
    assert feeds["default"] is None
    assert f"taken back to edition {first}" in feeds["mirror"]
    assert main(["switch", "--feed", "mirror", "--resume"]) == 0
    assert names(feed) == ["a.b/bad", "a.b/good", "a.b/one", "a.b/three", "a.b/two"]
    assert len(feed.ledger.read()) == 4


def test_a_remedy_is_for_one_feed_and_a_refused_resume_ends_no_hold(
    feed: Feed, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        upstream.registry.publish(server_json(f"c.d/s{number:02}"), START)
    assert main(["run"]) == 0
    for number in range(40):
        upstream.registry.set_status(f"c.d/s{number:02}", None, "deleted", "", START)
    feed.set_hold("somebody looks at it")
    capsys.readouterr()
    assert main(["run"]) == 3
    assert main(["switch", "--feed", "mirror", "--resume"]) == 3
    assert "subregistry switch --feed mirror --accept --reason WHY" in capsys.readouterr().err
    assert feed.hold() == "somebody looks at it"
    with feed.held():
        assert main(["switch", "--feed", "mirror", "--resume", "--accept", "--reason", "x"]) == 4
    assert feed.hold() == "somebody looks at it"
    assert main(["switch", "--feed", "mirror", "--resume", "--accept", "--reason", "meant"]) == 0
    assert feed.hold() is None
    feed.set_hold("once more, and nothing waits")
    capsys.readouterr()
    assert main(["switch", "--feed", "mirror", "--resume", "--reason", "seen"]) == 0
    assert feed.hold() is None
    capsys.readouterr()
    main(["audit", "--json"])
    acts = [(row["action"], row["reason"]) for row in json.loads(capsys.readouterr().out)]
    assert [act for act in acts if act[0] == "resume"] == [("resume", "meant"), ("resume", "seen")]


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--to", "nothing", "--feed", "mirror"], 1, "no edition nothing"),
        (["--to", "nothing"], 2, "add --feed NAME"),
        (["--resume"], 2, "add --feed NAME"),
        (["--accept", "--reason", "meant"], 2, "add --feed NAME"),
        (["--to", "LIVE", "--feed", "mirror"], 1, "is the live one"),
    ],
)
def test_going_back_to_nowhere_says_so(
    feed: Feed, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, sentence: str
) -> None:
    capsys.readouterr()
    live = str(feed.current_id())
    assert main(["switch", *(live if flag == "LIVE" else flag for flag in flags)]) == code
    assert sentence in said(capsys)
    assert feed.hold() is None


def test_a_broken_live_edition_is_built_anew(
    feed: Feed, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    live = feed.current()
    assert live is not None
    before = live.manifest.sequence
    (live.folder / "manifest.json").unlink()
    assert main(["status"]) == 1
    assert "! feed mirror: " in (out := capsys.readouterr().out)
    assert "has no readable manifest" in out
    capsys.readouterr()
    assert main(["run"]) == 1
    assert "subregistry build --from-scratch" in capsys.readouterr().err
    assert main(["build", "--feed", "mirror", "--from-scratch"]) == 0
    assert main(["switch", "--feed", "mirror"]) == 0
    edition = feed.current()
    assert edition is not None
    assert edition.manifest.sequence > before
    assert names(feed) == ["a.b/one", "a.b/three", "a.b/two"]
    assert main(["run"]) == 0


def test_a_lost_feed_remembers_what_it_showed(
    feed: Feed, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(feed.folder)
    documents = tmp_path / "documents"
    documents.mkdir()
    text = (files("serve.policy") / "feeds" / "mirror.toml").read_text()
    rule = """
[[rules]]
name = "no-two"
verdict = "exclude"
when = "name = 'a.b/two'"
reason = "not wanted"
"""
    (documents / "mirror.toml").write_text(text + rule)
    monkeypatch.setenv("SUBREGISTRY_FEEDS", str(documents))
    assert main(["run"]) == 0
    edition = feed.current()
    assert edition is not None
    assert names(feed) == ["a.b/one", "a.b/three"]
    index = edition.keys.find(b"a.b/two", b"1.0.0")
    assert index is not None
    assert edition.state(index) == "withdrawn"


def test_keys_are_made_listed_and_revoked(
    feed: Feed, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    capsys.readouterr()
    assert main(["keys", "add", "ci", "--feed", "mirror"]) == 0
    token = capsys.readouterr().out.strip()
    assert "everybody may read it" in caplog.text
    assert main(["keys", "add", "two", "--feed", "mirror", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["token"].startswith("sr_")
    assert main(["keys", "list", "--feed", "mirror", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in rows] == ["ci", "two"]
    assert feed.keys.owner(token) == rows[0]["key"]
    assert main(["keys", "revoke", rows[0]["key"], "--feed", "mirror"]) == 0
    assert feed.keys.owner(token) is None
    for wrong, code in (
        (["keys", "revoke", "12"], 1),
        (["keys", "add"], 2),
        (["keys", "list", "x"], 2),
        (["keys", "list", "--feed", "nothing"], 2),
    ):
        capsys.readouterr()
        assert main(wrong) == code
        said(capsys)


def test_the_command_blocks_lists_and_lifts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 0
    capsys.readouterr()
    no_text = "a.b/\udcff"  # what a shell's byte FF becomes
    for wrong in (
        ["block"],
        ["block", "a.b/one"],
        ["block", "@1", "--reason", "x"],
        ["block", no_text, "--reason", "x"],
    ):
        assert main(wrong) == 2
        said(capsys)
    assert main(["block", "a.b/one", "--reason", "theft", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["feed"] for row in rows} >= {"default", "mirror"}
    assert main(["block", "--list", "--json"]) == 0
    (blocked,) = json.loads(capsys.readouterr().out)
    assert (blocked["name"], blocked["reason"]) == ("a.b/one", "theft")
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["blocks"][0]["name"] == "a.b/one"
    assert main(["block", "a.b/one", "--lift"]) == 0
    capsys.readouterr()
    assert main(["block", "a.b/one", "--lift"]) == 1
    assert "not blocked" in said(capsys)
    assert main(["audit", "--json"]) == 0
    acts = [row["action"] for row in json.loads(capsys.readouterr().out)]
    assert [act for act in acts if act != "switch"] == ["block", "lift"]


def test_every_byte_of_what_is_kept_is_read_again(
    feed: Feed, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    first = feed.current_id()
    upstream.registry.publish(server_json("a.b/four"), START)
    assert main(["run"]) == 0
    capsys.readouterr()
    assert main(["editions", "--feed", "mirror", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["edition"] == first, row["state"]) for row in rows] == [
        (True, "kept"),
        (False, "live"),
    ]
    assert len({row["base"] for row in rows}) == 1
    assert main(["editions", "verify", "--feed", "mirror", "--json"]) == 0
    assert all(row["whole"] for row in json.loads(capsys.readouterr().out))
    for victim in (feed.segments / str(first), feed.editions / str(feed.current_id()) / "pages"):
        whole = victim.read_bytes()
        at = len(whole) * 3 // 4
        victim.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert main(["editions", "verify", "--feed", "mirror"]) == 1
        assert "damaged: " in capsys.readouterr().err
        victim.write_bytes(whole)
    assert main(["editions", "verify", "nothing", "--feed", "mirror"]) == 1
    assert "no edition nothing is kept" in said(capsys)


def test_a_refresh_looks_at_what_changed_only(
    feed: Feed, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build asks the warehouse for changed names only; it serves what a full look would serve."""
    asked: list[list[str] | None] = []

    def noted(session: Any, draft: Any, verdicts: str, names: list[str] | None, *rest: Any) -> Any:
        asked.append(names)
        return candidates(session, draft, verdicts, names, *rest)

    monkeypatch.setattr("pipelines.publish.build.candidates", noted)
    registry, at = upstream.registry, START
    changes: list[Callable[[], object]] = [
        lambda: registry.publish(server_json("a.b/two", "2.0.0"), at),
        lambda: registry.publish(server_json("a.b/two", "3.0.0"), at),
        lambda: registry.set_status("a.b/two", ["3.0.0"], "deleted", "", at),
        lambda: registry.set_status("a.b/two", ["2.0.0"], "deprecated", "", at),
    ]
    for change in changes:
        asked.clear()
        change()
        assert main(["run"]) == 0
        assert ["a.b/two"] in asked
        whole = (feed.current_id(), shown(feed))
        with monkeypatch.context() as patched:
            patched.setattr("pipelines.publish.build._alike_since", lambda *_: None)
            for name in ("curate", "build"):
                assert main([name, "--feed", "mirror"]) == 0
        assert asked[-1] is None
        assert (feed.current_id(), shown(feed)) == whole
        assert feed.candidate_id() in (None, whole[0]), "a full look finds nothing else"


def shown(feed: Feed) -> list[bytes]:
    edition = feed.current()
    assert edition is not None
    return [edition.body(index) for index in range(edition.count)]


def test_health_and_counts_of_two_workers(feed: Feed, home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "serve",
        "--port",
        "0",
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = re.findall(r"http://\S+", line)[0]
        end = time.monotonic() + 30
        with httpx.Client(base_url=url, timeout=10) as client:
            while True:
                try:
                    if client.get("/feeds/mirror/health").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < end
                time.sleep(0.1)
        health = httpx.get(f"{url}/feeds/mirror/health").json()
        assert (health["freshness"], health["action"]) == ("fresh", None)
        (feed.folder / "confirmed").write_text("2020-01-01T00:00:00+00:00")
        health = httpx.get(f"{url}/feeds/mirror/health").json()
        assert health["freshness"] == "stale"
        assert "subregistry run" in health["action"]
        (feed.folder / "confirmed").unlink()
        assert httpx.get(f"{url}/feeds/mirror/health").json()["freshness"] == "never"
        for _ in range(40):  # each on its own connection, so both workers answer some
            assert httpx.get(f"{url}/feeds/mirror/v0.1/servers").status_code == 200
        line = 'subregistry_requests_total{feed="mirror",route="list",status="200"} 40.0'
        end = time.monotonic() + 10  # each worker writes its counts every 0.2 seconds
        while line not in (metrics := httpx.get(f"{url}/metrics").text):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert 'subregistry_feed_entries{feed="mirror"} 3.0' in metrics
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)
        assert process.stderr is not None
        process.stderr.close()
