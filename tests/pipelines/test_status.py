"""The account of each upstream and feed: failure is remembered and shown, with exit code 1."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.accounts import Accounts, Attempt
from pipelines.cli.parser import main
from pipelines.demo.loopback import Reply
from serve import disk
from tests.support.deployments import START, Upstream, server_json


def status(capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:  # its JSON
    capsys.readouterr()
    assert main(["status", "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_all_well_is_exit_code_0(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = status(capsys)
    assert report["problems"] == []
    (upstream,) = report["upstreams"]
    assert (upstream["versions"], upstream["outcome"]) == (63, "done")
    assert {feed["feed"]: feed["entries"] for feed in report["feeds"]} == {
        "default": 63,
        "mirror": 63,
    }


def test_before_the_first_run_it_says_what_to_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = status(capsys, 1)
    assert {problem["message"] for problem in report["problems"]} == {
        "never pulled: run subregistry run",
        "nothing is live yet: run subregistry run",
    }
    assert not home.exists()


def test_an_outage_is_remembered_until_a_pull_succeeds(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.fault = lambda _: Reply(400, b"no")
    assert main(["run"]) == 1
    report = status(capsys, 1)
    (problem,) = report["problems"]
    assert problem["subject"] == "upstream official"
    assert problem["message"].startswith("pull failed: ")
    assert "400" in problem["message"]
    (row,) = report["upstreams"]
    assert row["outcome"] == "failed"
    assert row["pulled_at"] < row["tried_at"]
    assert row["versions"] == 63  # of the last success
    upstream.fault = lambda _: None
    assert main(["run"]) == 0
    assert status(capsys)["problems"] == []


def test_a_brake_is_shown_until_an_operator_accepts(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in list(upstream.registry.rows())[:30]:
        upstream.registry.remove(key)
    assert main(["run", "--full"]) == 3
    assert main(["pull"]) == 3
    (problem,) = status(capsys, 1)["problems"]
    remedy = "subregistry pull --upstream official --accept-shrink --reason WHY"
    assert problem["message"].endswith(remedy)
    assert main(remedy.removeprefix("subregistry ").split()) == 0
    report = status(capsys)
    assert report["problems"] == []
    assert report["upstreams"][0]["override"].endswith(": WHY")


def test_a_refused_gate_is_shown_with_its_reasons_and_the_way_on(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.registry.set_status("a.b/one", None, "deleted", "", START)
    for number in range(30):
        upstream.registry.set_status(f"c.d/s{number:02}", None, "deleted", "", START)
    assert main(["run", "--full"]) == 3
    report = status(capsys, 1)
    subjects = [problem["subject"] for problem in report["problems"]]
    assert subjects == ["feed default", "feed mirror"]
    assert all("31 of 63 running entries" in problem["message"] for problem in report["problems"])
    for feed in report["feeds"]:
        assert feed["refused"]
        assert feed["refused"] == feed["candidate"]
    since = report["problems"][0]["since"]
    assert main(["run"]) == 3  # the same again: refused since then
    report = status(capsys, 1)
    assert report["problems"][0]["since"] == since
    assert main(["switch", "--feed", "default", "--accept", "--reason", "they are right"]) == 0
    report = status(capsys, 1)
    assert [problem["subject"] for problem in report["problems"]] == ["feed mirror"]
    rows = {feed["feed"]: feed for feed in report["feeds"]}
    assert (rows["default"]["entries"], rows["default"]["tombstones"]) == (32, 31)
    assert rows["default"]["override"].endswith(": they are right")


def test_each_problem_is_one_line_and_names_what_to_do(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.fault = lambda _: Reply(400, b"no")
    assert main(["pull"]) == 1
    capsys.readouterr()
    assert main(["status"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("! upstream official, since 2") for line in lines) == 1


def test_status_reads_no_warehouse(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (running / "warehouse.duckdb").write_bytes(b"not a database")
    assert status(capsys)["problems"] == []


def test_accounts_are_in_the_warehouse_with_their_history(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        upstream.registry.set_status(f"c.d/s{number:02}", None, "deleted", "", START)
    assert main(["run", "--full"]) == 3
    with duckdb.connect(running / "analytics" / "warehouse.duckdb", read_only=True) as copy:
        outcomes = copy.execute(
            "SELECT account ->> '$.steps.switch.last.outcome' FROM accounts "
            "WHERE subject = 'feeds/default' ORDER BY noted_at"
        ).fetchall()
        subjects = copy.execute("SELECT DISTINCT subject FROM accounts ORDER BY ALL").fetchall()
    assert outcomes == [("done",), ("refused",)]
    assert subjects == [("feeds/default",), ("feeds/mirror",), ("upstreams/official",)]


def test_a_lost_warehouse_below_existing_feeds_is_said(
    running: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (running / "warehouse.duckdb").unlink()
    assert main(["pull"]) == 0
    assert "whose history starts today" in caplog.text


def test_on_a_full_disk_an_account_is_written_over_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Accounts(tmp_path).upstream("official")
    file.update(lambda account: account.noted("pull", Attempt(START, "done")))

    def full(_: Path, __: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "replace_file", full)
    file.update(lambda account: account.noted("pull", Attempt(START, "failed", "no room")))
    assert file.read().steps["pull"].last.message == "no room"
    assert file.read().steps["pull"].done_at == START
    # Where there is no file yet, there is no room for one: the step goes on all the same.
    Accounts(tmp_path).upstream("other").update(lambda account: account)


def test_the_first_refusal_is_on_record_with_its_reason(
    running: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        upstream.registry.set_status(f"c.d/s{number:02}", None, "deleted", "", START)
    for _ in range(2):
        assert main(["run", "--full"]) == 3
    assert main(["keys", "add", "ide", "--feed", "mirror"]) == 0
    capsys.readouterr()
    assert main(["audit", "--json"]) == 0
    acts = [(row["action"], row["feed"]) for row in json.loads(capsys.readouterr().out)]
    assert acts == [
        ("switch", "default"),
        ("switch", "mirror"),
        ("refuse", "default"),
        ("refuse", "mirror"),
        ("add key", "mirror"),
    ]


@pytest.mark.parametrize("harm", ["the last line changed", "the end cut off"])
def test_an_audit_log_whose_end_was_changed_is_noticed_after_the_next_run(
    running: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    assert main(["block", "a.b/one", "--reason", "bad"]) == 0
    assert main(["run"]) == 0
    log = running / "audit.jsonl"
    lines = log.read_text().splitlines()
    lines = lines[:-1] if "cut" in harm else [*lines[:-1], lines[-1].replace('"at":"2', '"at":"1')]
    log.write_text("".join(f"{line}\n" for line in lines))
    capsys.readouterr()
    assert main(["audit"]) == 1
    message = "its end was cut off" if "cut" in harm else "is not the one that a run found"
    assert message in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_shown_escaped(
    home: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "\x1b]0;owned\x07 \x9b31m red\r \u202e back"
    upstream.registry.publish(server_json("a.b/odd", title=odd, description="x\ny"), START)
    assert main(["run"]) == 0
    assert main(["block", "a.b/odd", "--reason", odd]) == 0
    main(["explain", "a.b/odd"])
    main(["explain", "a.b/odd", "--json"])
    main(["query", "SELECT title FROM contents"])
    main(["query", "SELECT title FROM contents", "--json"])
    main(["audit"])
    main(["explain", odd])
    captured = capsys.readouterr()
    assert "\\u001b]0;owned\\u0007 \\u009b31m red\\u000d \\u202e back" in captured.out
    assert not set("\x1b\x07\x9b\r\u202e") & set(captured.out + captured.err)


def test_a_damaged_account_is_said_until_a_full_run_passes(
    running: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for subject in ("upstreams/official", "feeds/mirror"):
        (running / "state" / f"{subject}.json").write_text('{"name": "off')
    for _ in range(2):
        problems = status(capsys, 1)["problems"]
        assert [problem["subject"] for problem in problems] == ["upstream official", "feed mirror"]
        for problem in problems:
            assert (
                "nobody knows what was refused before: run subregistry run --full"
                in (problem["message"])
            )
        assert main(["pull"]) == 0
    assert main(["run", "--full"]) == 0
    assert status(capsys)["problems"] == []
