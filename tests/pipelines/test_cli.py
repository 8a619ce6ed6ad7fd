"""The command line: exit codes, messages, JSON; bad input ends in one line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from pipelines.cli.parser import main
from pipelines.demo.loopback import Reply
from tests.pipelines.conftest import said
from tests.support.deployments import Upstream


def test_the_line_runs_by_hand_step_by_step(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("pull", "profile", "curate", "build", "switch", "status"):
        assert main([command]) == 0, command
    lines = capsys.readouterr().out
    assert "kind=full" in lines
    assert "new=3" in lines
    assert lines.count("sequence=1") == 6
    assert main(["pull", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["step"], report["kind"], report["new"]) == ("pull", "incremental", 0)


def test_a_run_does_it_all_and_a_second_one_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run"]) == 0
    assert main(["run", "--json"]) == 0
    text = capsys.readouterr().out
    reports = json.loads(text[text.index("\n[") :])
    steps = [report["step"] for report in reports]
    assert steps == ["pull", "curate", "build", "curate", "build", "copy"]
    assert all(report["unchanged"] for report in reports if report["step"] == "build")


def test_a_query_reads_the_copy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    capsys.readouterr()
    assert main(["query", "--json", "SELECT name FROM current_entries ORDER BY name"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert names == ["a.b/one", "a.b/three", "a.b/two"]
    assert main(["query", "SELECT count(*) AS servers FROM current_entries"]) == 0
    assert "servers" in capsys.readouterr().out


def test_explain_tells_rule_and_reason_and_tells_unknown_from_excluded(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run"])
    capsys.readouterr()
    assert main(["explain", "a.b/one@1.0.0"]) == 0
    text = capsys.readouterr().out
    assert "verdict=admit rule=default" in text
    assert main(["explain", "a.b/never"]) == 1
    assert "was never seen upstream" in said(capsys)
    assert main(["explain", "a.b/one", "--feed", "nope"]) == 2
    assert "the feeds are default, mirror" in said(capsys)


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("UPSTREAM_URL", "http://127.0.0.1:9", 1, "did not answer"),
        ("UPSTREAM_URL", "registry", 2, "write https://HOST"),
        ("UPSTREAM_URL", "ftp://registry.example", 2, "SUBREGISTRY_UPSTREAM_URL"),
        ("UPSTREAM_UR", "https://registry.example", 2, "mean SUBREGISTRY_UPSTREAM_URL?"),
        ("KEEP_HOUR", "3", 2, "mean SUBREGISTRY_KEEP_HOURS?"),
        ("UPSTREAMS", '{"a": "b",}', 2, "SUBREGISTRY_UPSTREAMS is not JSON: "),
        ("UPSTREAMS", '{"a": "https://h.example?x=1"}', 2, "SUBREGISTRY_UPSTREAMS: a.url: "),
        ("UPSTREAMS", '{"a": "ftp://x"}', 2, "neither an http(s) URL nor a path"),
        ("UPSTREAM_URL", "https://192.0.2.1", 1, "SUBREGISTRY_OFFLINE"),
        ("UPSTREAM_RATE", "fast", 2, "SUBREGISTRY_UPSTREAM_RATE"),
        ("OVERLAP", "60", 2, "SUBREGISTRY_OVERLAP"),
        ("ORIGINS", "ghcr.io", 2, "SUBREGISTRY_ORIGINS is not JSON: "),
        ("ORIGINS__NPM__URL", "http://mirror.example", 2, "plain http is for loopback"),
        ("ORIGINS__NPM__USERNAME", "me", 2, "belong together"),
    ],
)
def test_a_wrong_setting_ends_in_one_sentence(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.setenv(f"SUBREGISTRY_{name}", value)
    assert main(["pull"]) == code
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_a_lying_upstream_ends_in_one_sentence_and_loses_nothing(
    home: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run"])
    capsys.readouterr()
    upstream.fault = lambda _: Reply(200, b"<html>hello</html>")
    assert main(["run"]) == 1
    assert "is not a page of a registry" in said(capsys)
    for key in list(upstream.registry.rows()):
        upstream.registry.remove(key)
    upstream.fault = lambda _: None
    assert main(["run", "--full"]) == 3
    assert "--accept-shrink" in said(capsys)
    assert main(["query", "--json", "SELECT count(*)::INT AS n FROM current_entries"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 3}]


def test_a_broken_feed_document_is_named_and_the_live_feed_stays(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["run"])
    capsys.readouterr()
    before = (home / "feeds" / "default" / "current").read_text()
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "default.toml").write_text('name = "default"\nrules = 7')
    monkeypatch.setenv("SUBREGISTRY_FEEDS", str(folder))
    for command in (["run"], ["feeds", "check"], ["curate"]):
        assert main(command) == 2
        assert "default.toml" in said(capsys)
    assert (home / "feeds" / "default" / "current").read_text() == before


def test_a_busy_warehouse_is_exit_code_4(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    capsys.readouterr()
    path = home / "warehouse.duckdb"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print(1, flush=True); input()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert main(["curate"]) == 4
        assert "in use by another process" in said(capsys)
        # It reads what others wrote down, never the warehouse.
        assert main(["status"]) == 0
    finally:
        holder.communicate(b"\n")
    assert main(["curate"]) == 0


def test_another_walk_is_exit_code_4(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    folder = home / "spool" / "official"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["pull"]) == 4
    assert "another walk of this upstream" in said(capsys)


@pytest.mark.parametrize(
    "command", [["nonsense"], ["pull", "--what"], ["profile", "--budget", "0"], ["query"], []]
)
def test_a_wrong_flag_is_exit_code_2(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2


def test_what_was_not_curated_is_not_built(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build"]) == 1
    assert "run subregistry pull and subregistry curate first" in said(capsys)


def test_a_switch_of_all_feeds_skips_those_without_a_change(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["run"])
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("default", "mirror"):
        text = (files("serve.policy") / "feeds" / f"{name}.toml").read_text()
        (folder / f"{name}.toml").write_text(text + "\n# edited" * (name == "mirror"))
    monkeypatch.setenv("SUBREGISTRY_FEEDS", str(folder))
    capsys.readouterr()
    for command in ("curate", "build", "switch"):
        assert main([command]) == 0
    switched = [line for line in capsys.readouterr().out.splitlines() if line.startswith("switch")]
    assert len(switched) == 1
    assert "feed=mirror" in switched[0]


def test_a_query_shows_texts_as_they_are(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run"])
    capsys.readouterr()
    assert main(["query", "SELECT '[bold]x[/nothing]' AS a, 1 AS b, 2 AS b"]) == 0
    text = capsys.readouterr().out
    assert "[bold]x[/nothing]" in text
    assert text.split()[-2:] == ["1", "2"]
    assert main(["query", "--json", "SELECT 'nan'::DOUBLE AS x"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"x": None}]


def test_an_unknown_package_and_a_missing_candidate_say_so(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "--only", "npm"]) == 2
    assert "write npm:NAME" in said(capsys)
    main(["pull"])
    capsys.readouterr()
    assert main(["profile", "--only", "npm:nothing"]) == 2
    assert "no entry claims" in said(capsys)
    assert main(["switch", "--feed", "default"]) == 1
    assert "run subregistry build" in said(capsys)


def test_a_port_in_use_ends_in_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "choose another --port" in said(capsys)


@pytest.fixture
def served(home: Path) -> Iterator[int]:
    """The port of `subregistry serve` with two workers, in its own process."""
    main(["run"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "serve",
            "--port",
            str(port),
            "--workers",
            "2",
        ],
        env=dict(os.environ),
    )
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_serve_answers_from_several_workers_and_stops_on_a_signal(served: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", served), timeout=5) as connection:
                connection.sendall(b"GET /v0.1/servers HTTP/1.0\r\n\r\n")
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            break
        except OSError:
            assert time.monotonic() < end
    assert b'"name":"a.b/one"' in answer


def test_doctor_prints_a_line_per_source_and_fails_if_one_does(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"upstream:official +works", text)
    assert "SUBREGISTRY_OFFLINE" in text
    assert main(["doctor", "--only", "npm", "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["source"], finding["state"]) == ("npm", "works")
    assert "a mirror without it?" in finding["message"]
    assert main(["doctor", "--only", "cargo"]) == 2
    assert "there is no source cargo" in said(capsys)
