"""`feeds` tells a curator what the rules do before anything is published."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.parser import main
from tests.pipelines.conftest import WITHOUT_C

DOCUMENT = f"""{WITHOUT_C}
[[rules]]
name = "misspelt"
verdict = "exclude"
names = ["c.d/nobody"]
reason = "it is not there"
"""


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # JSON of a command
    capsys.readouterr()
    assert main(list(words)) == 0
    return json.loads(capsys.readouterr().out)


def test_check_says_what_each_rule_matches_and_what_matches_nothing(
    running: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (running.parent / "two-feeds" / "mirror.toml").write_text(DOCUMENT)
    rows = {row["name"]: row for row in printed(capsys, "feeds", "check", "--json")}
    assert rows["mirror"]["matches"] == {"no-c": 60, "misspelt": 0}
    assert main(["feeds", "check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "! rule   name=misspelt matches=0" in lines


def test_diff_says_that_the_gate_would_refuse_and_why(
    running: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "mirror.toml"
    changed.write_text(DOCUMENT)
    # Options may stand before, between and after the words.
    for words in (
        ["feeds", "diff", "--json", str(changed)],
        ["feeds", "--json", "diff", str(changed)],
        ["feeds", "diff", str(changed), "--json"],
    ):
        report = printed(capsys, *words)
        assert (report["withdrawn"], report["shown"]) == (60, 3)
        assert report["by_rule"] == {"exclude:no-c": 60, "admit:default": 3}
        assert report["gate"][0].startswith("60 of 63 running entries would go")
    assert main(["feeds", "diff", str(changed)]) == 0
    assert "! the gate would refuse it: 60 of 63" in capsys.readouterr().out


def test_diff_says_so_when_nothing_is_admitted(
    running: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "mirror.toml"
    changed.write_text(DOCUMENT.replace('default = "admit"', 'default = "exclude"'))
    assert main(["feeds", "diff", str(changed)]) == 0
    assert "! nothing would be admitted" in capsys.readouterr().out


def test_columns_are_listed_with_the_values_of_a_server(
    running: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["column"]: row for row in printed(capsys, "feeds", "columns", "--json")}
    assert rows["licenses"]["type"] == "VARCHAR[] or NULL"
    assert "meaning" in rows["upstream"]
    values = printed(capsys, "feeds", "columns", "c.d/s07", "--json")
    assert {row["column"]: row["value"] for row in values}["title"] == "T7"
    assert main(["feeds", "columns", "c.d/never"]) == 1
    assert "never seen upstream" in capsys.readouterr().err
