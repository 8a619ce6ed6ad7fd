"""The command `export`: where it writes, and whom it warns after a block."""

from pathlib import Path

import pytest

from pipelines.cli.parser import main
from tests.pipelines.conftest import said


def test_an_export_that_names_no_server_raises_no_alarm_after_a_block(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["run"]) == 0
    monkeypatch.setenv("SUBREGISTRY_PUBLIC_URL", "https://feeds.example.org")
    policy = tmp_path / "policy.json"
    assert main(["export", "--form", "vscode", "--to", str(policy)]) == 0
    monkeypatch.delenv("SUBREGISTRY_PUBLIC_URL")
    capsys.readouterr()
    assert main(["block", "a.b/one", "--reason", "theft"]) == 0
    assert str(policy) not in "".join(capsys.readouterr())


def test_an_export_follows_no_link(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run"]) == 0
    capsys.readouterr()
    target, link = tmp_path / "precious", tmp_path / "list.json"
    target.write_text("mine")
    link.symlink_to(target)
    assert main(["export", "--form", "registry", "--to", str(link)]) == 2
    assert "is a symbolic link; name the file itself" in said(capsys)
    (tmp_path / "new.json.part").symlink_to(target)
    assert main(["export", "--form", "registry", "--to", str(tmp_path / "new.json")]) == 0
    assert target.read_text() == "mine"
