"""PyPI: a real index with real uploads, and scripted JSON documents for what it lacks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.demo.packages import Release, SamplePackage
from tests.registries.conftest import MakeLine, Played
from tests.registries.servers import Index, devpi

pytestmark = pytest.mark.xdist_group("devpi")
NAME = "io.github.o/one"
SITE = "https://github.com/o/one"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with devpi(tmp_path_factory.mktemp("pypi") / "devpi") as index:
        yield index


def test_an_index_without_json_documents_tells_versions_and_what_was_deleted(
    index: Index, make_line: MakeLine
) -> None:
    index.upload("Zoo-Mcp", "1.0.0rc1")
    index.upload("Zoo-Mcp", "1.0.0")
    line = make_line({"pypi": {"url": index.url, "index": "+simple"}})
    line.claim(NAME, "pypi", "zoo_mcp", "1.0.0-rc.1")
    line.claim("io.github.o/never", "pypi", "never-was", "1.0.0")
    assert line.profile().outcomes == {"ok": 1, "package_absent": 1}
    key = f"{NAME}@1.0.0-rc.1"
    prerelease = line.packages()[key]
    assert (prerelease["availability"], prerelease["ownership"]) == ("available", "unknown")
    assert (prerelease["latest_version"], prerelease["newer_versions"]) == ("1.0.0", 1)
    assert prerelease["digest"] is None, "the index does not say when a file was uploaded"
    index.upload("Zoo-Mcp", "2.0.0")
    line.profile()
    assert line.packages()[key]["newer_versions"] == 2
    index.delete("zoo-mcp", "1.0.0rc1")
    line.confirm()
    availabilities = {row["name"]: row["availability"] for row in line.packages().values()}
    assert availabilities == {NAME: "version_withdrawn", "io.github.o/never": "package_absent"}


@pytest.fixture
def scripted(make_line: MakeLine) -> Played:
    line = make_line({})
    settings = line.deployment.settings
    origins = {"pypi": {"url": f"{line.upstream.packages_url}/pypi"}}
    line.deployment.settings = type(settings)(**settings.model_dump() | {"origins": origins})
    return line


def publish(line: Played, *releases: Release, status: str = "ok", owners: str = "") -> None:
    package = SamplePackage(
        "one", list(releases), repository=SITE, status=status, owners=tuple(owners.split())
    )
    line.upstream.packages.put("pypi", package)


def test_each_thing_that_a_project_can_come_to_turns_up_as_its_signal(scripted: Played) -> None:
    line, key = scripted, f"{NAME}@1.0.0"
    first = Release("1.0.0", line.clock() - timedelta(days=40), NAME)
    second = Release("1.1.0", line.clock() - timedelta(days=10), NAME, provenance=True)
    repository = {"url": SITE, "source": "github"}
    publish(line, first, owners="ann")
    line.claim(NAME, "pypi", "one", "1.0.0", repository=repository)
    line.claim(NAME, "pypi", "one", "1.1.0", repository=repository)
    line.profile()
    assert line.signals(key) == {"verified", "repository_matches"}

    publish(line, first, second, owners="ann")
    line.profile()
    rows = line.packages()
    assert (rows[key]["newer_versions"], rows[key]["days_behind"]) == (1, 30)
    assert rows[f"{NAME}@1.1.0"]["provenance_repository"] == SITE
    assert {"provenance", "verified"} <= set(rows[f"{NAME}@1.1.0"]["signals"])

    publish(line, replace(first, yanked="write to me@mail.example"), second, owners="ann")
    line.profile()
    row = line.packages()[key]
    assert (row["availability"], row["yanked_reason"]) == ("yanked", "write to [e-mail]")

    publish(line, first, second, owners="eve")
    line.profile()
    row = line.packages()[key]
    assert (row["availability"], "owners_changed" in row["signals"]) == ("available", True)

    publish(line, first, second, status="archived", owners="eve")
    line.profile()
    assert "package_archived" in line.signals(key)

    publish(line, first, second, status="quarantined")
    line.profile()
    row = line.packages()[key]
    assert (row["availability"], row["ownership"]) == ("quarantined", "was_verified_now_not")

    publish(line, first, second, owners="eve")
    line.profile()
    assert line.packages()[key]["ownership"] == "verified"
    with line.deployment.warehouse.session() as session:
        stored = session.text(
            "SELECT list(facts)::VARCHAR AS text FROM (FROM package_facts) facts"
        ).to_pylist()[0]["text"]
    assert "eve" not in stored
    assert "@" not in stored


def test_a_name_that_somebody_else_registers_again_is_an_alarm(scripted: Played) -> None:
    line, key = scripted, f"{NAME}@1.0.0"
    publish(line, Release("1.0.0", line.clock() - timedelta(days=40), NAME))
    line.claim(NAME, "pypi", "one", "1.0.0")
    line.profile()
    publish(line, Release("1.0.0", line.clock(), "io.github.eve/one"))
    line.profile()
    row = line.packages()[key]
    assert (row["ownership"], row["ownership_now"]) == ("was_verified_now_not", "mismatch")
    assert "name_reused" in row["signals"]
