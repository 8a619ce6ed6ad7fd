"""Rules about the code and its documents, as tests."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.origins import default_url
from pipelines.cli.parser import parser
from serve.entry.repair import REPAIRS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["pipelines", "connectors", "enrich", "warehouse", "serve"]
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_a_sign_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "say what belongs here and what does not"
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_holds_some_fifteen_modules_at_most(room: str) -> None:
    for folder in [ROOT / room, *(path for path in (ROOT / room).rglob("*") if path.is_dir())]:
        assert len([path for path in folder.glob("*.py") if path.stem[:2] != "__"]) <= 17, folder


def test_no_test_module_is_longer_than_four_hundred_lines() -> None:
    data = {"expressions.py"}  # a corpus
    long = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if path.name not in data and len(path.read_text().splitlines()) > 400
    ]
    assert long == []


def test_asset_modules_keep_their_annotations() -> None:
    for name in ("assets.py", "definitions.py"):
        text = (ROOT / "pipelines" / "orchestration" / name).read_text()
        assert "from __future__ import annotations" not in text


def test_only_settings_reads_the_environment() -> None:
    readers = [path for path in MODULES if re.search(r"os\.(environ|getenv)", path.read_text())]
    assert readers == [ROOT / "pipelines" / "settings.py"]


@pytest.mark.parametrize("command", ["status", "feeds", "explain x/y", "query 'SELECT 1'"])
def test_everyday_commands_do_not_load_dagster(command: str, tmp_path: Path) -> None:
    code = (
        "import shlex, sys; from pipelines.cli import parser\n"
        f"parser.main(shlex.split({command!r}))\n"
        "print('dagster' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"SUBREGISTRY_HOME": str(tmp_path), "SUBREGISTRY_OFFLINE": "1", "PATH": ""},
        check=True,
    )
    assert done.stderr.strip().splitlines()[-1] == "False"


def test_starting_the_command_line_loads_next_to_nothing() -> None:
    code = (
        "import sys; from pipelines.cli import parser\n"
        "print([m for m in ('duckdb', 'httpx', 'pydantic', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = {urlsplit(default_url(kind)).hostname or "" for kind in ("npm", "pypi")}
    offenders = [
        path
        for path in tracked()
        if path.is_file() and any(host.encode() in path.read_bytes() for host in hosts)
    ]
    assert offenders == []


def test_every_command_is_documented_and_teaches() -> None:
    text = (ROOT / "docs" / "operators.md").read_text()
    (commands,) = [action for action in parser()._actions if action.dest == "command"]
    assert isinstance(commands.choices, dict)
    for name, command in commands.choices.items():
        assert f"`subregistry {name}" in text
        assert len(command.description) > 40


def test_every_command_is_summed_up_in_a_whole_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    lines = parser().format_help().partition("COMMAND\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) > 20
    assert [line for line in lines if " " in line.strip() and line[-1] != "."] == []


def test_reference_tables_say_what_the_code_says() -> None:
    documents = sorted(map(str, (ROOT / "docs").glob("*.md")))
    cog = [sys.executable, "-m", "cogapp", "--check", "-P", "-I", "docs", *documents]
    done = subprocess.run(cog, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-500:]}{done.stderr[-500:]}: run make docs"


def test_every_repair_is_documented() -> None:
    text = (ROOT / "docs" / "curators.md").read_text()
    for name in REPAIRS:
        assert f"`{name}`" in text


def test_every_dependency_has_a_dated_decision() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["ui"],
        *project["dependency-groups"]["dev"],
    ]
    for item in wanted:
        name = re.split(r"[<>=\[ ]", item)[0]
        assert re.search(rf"^\* 20\d\d-\d\d-\d\d .*`{re.escape(name)}`", text, re.MULTILINE), name


def test_the_readme_shows_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.count("make demo") >= 1
    assert text.count("make test") >= 1


def test_every_statement_is_used() -> None:
    code = "\n".join(path.read_text() for path in MODULES)
    folder = ROOT / "warehouse" / "sql"
    for path in folder.glob("*/*.sql"):
        assert f'"{path.parent.name}/{path.stem}"' in code, path.name
    assert list(folder.glob("*.sql")) == []
