"""npm: a real registry, real publishing with npm, and the signal that each step causes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.registries.conftest import MakeLine, Played
from tests.registries.servers import Npm, verdaccio

pytestmark = pytest.mark.xdist_group("verdaccio")
NAME = "io.github.o/one"
REPOSITORY = {"url": "https://github.com/o/one", "source": "github"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Npm]:
    with verdaccio(tmp_path_factory.mktemp("npm") / "verdaccio") as registry:
        yield registry


@pytest.fixture
def line(registry: Npm, make_line: MakeLine) -> Played:
    return make_line({"npm": {"url": registry.url}})


def publish(registry: Npm, name: str, version: str, **fields: Any) -> None:
    package: dict[str, Any] = {"mcpName": NAME, "license": "MIT", "repository": "github:o/one"}
    package |= fields
    registry.publish(name, version, **package)


def test_what_is_published_is_known_and_a_second_run_is_a_304(registry: Npm, line: Played) -> None:
    publish(registry, "@s/known", "1.0.0", scripts={"postinstall": "node index.js"})
    publish(registry, "@s/known", "2.0.0-rc.1")
    line.claim(NAME, "npm", "@s/known", "1.0.0", repository=REPOSITORY)
    assert line.profile().outcomes == {"ok": 1}
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["ownership"], row["availability"]) == ("verified", "available")
    assert (row["license"], row["newer_versions"], row["absent"]) == ("MIT", 0, False)
    assert row["digest"].startswith("sha512-")
    assert row["repository_matches"] is True
    assert row["version_published_at"] is not None
    assert set(row["signals"]) == {"verified", "install_scripts", "repository_matches"}
    again = line.profile()
    assert (again.outcomes, again.requests, again.facts) == ({"not_modified": 1}, 1, 0)


def test_each_thing_that_a_publisher_does_turns_up_as_its_signal(
    registry: Npm, line: Played
) -> None:
    publish(registry, "each", "1.0.0")
    line.claim(NAME, "npm", "each", "1.0.0")
    line.profile()
    key = f"{NAME}@1.0.0"
    assert line.signals(key) == {"verified"}

    registry.npm("deprecate", "each@1.0.0", "use 2, or write to me@mail.example")
    line.profile()
    row = line.packages()[key]
    assert row["availability"] == "deprecated"
    assert row["deprecated"] == "use 2, or write to [e-mail]"
    registry.npm("deprecate", "each@1.0.0", "")
    line.profile()
    assert line.packages()[key]["availability"] == "available"

    publish(registry, "each", "1.1.0")
    publish(registry, "each", "2.0.0", mcpName="io.github.bob/one")
    line.profile()
    row = line.packages()[key]
    assert (row["newer_versions"], row["latest_version"]) == (2, "2.0.0")
    assert {"behind", "verified", "latest_not_owned"} <= set(row["signals"])

    registry.npm("unpublish", "each@1.0.0")
    line.profile()
    assert line.packages()[key]["availability"] == "available", "one answer is not believed"
    line.confirm()
    row = line.packages()[key]
    assert (row["availability"], row["absent"]) == ("version_withdrawn", True)
    assert (row["ownership"], row["ownership_now"]) == (
        "was_verified_now_not",
        "version_absent",
    )

    registry.npm("unpublish", "--force", "each")
    line.confirm()
    row = line.packages()[key]
    assert (row["availability"], row["ownership"]) == ("package_absent", "was_verified_now_not")


def test_another_owner_of_the_same_name_and_version_is_an_alarm(
    registry: Npm, line: Played
) -> None:
    publish(registry, "taken", "1.0.0")
    line.claim(NAME, "npm", "taken", "1.0.0")
    line.profile()
    registry.npm("unpublish", "--force", "taken")
    registry.publish("taken", "1.0.0", user="bob", mcpName="io.github.bob/taken")
    line.profile()
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["ownership"], row["ownership_now"]) == ("was_verified_now_not", "mismatch")
    assert {"digest_moved", "name_reused"} <= set(row["signals"])
    assert line.profile().due == 1, "an alarm is looked at daily"


def test_absent_others_and_several_claims_are_told_apart(registry: Npm, line: Played) -> None:
    publish(registry, "shared", "1.0.0")
    publish(registry, "nameless", "1.0.0", mcpName=None)
    line.claim(NAME, "npm", "shared", "1.0.0")
    line.claim("io.github.eve/copy", "npm", "shared", "1.0.0")
    line.claim("io.github.o/tag", "npm", "shared", "latest")
    line.claim("io.github.o/range", "npm", "shared", "^1.0.0")
    line.claim("io.github.o/nameless", "npm", "nameless", "1.0.0")
    line.claim("io.github.o/never", "npm", "never-was", "1.0.0")
    line.confirm()
    rows = line.packages()
    assert rows[f"{NAME}@1.0.0"]["claimants"] == 4
    states = {
        key.partition("@")[0]: (row["ownership"], row["availability"]) for key, row in rows.items()
    }
    assert states == {
        NAME: ("verified", "available"),
        "io.github.eve/copy": ("mismatch", "available"),
        "io.github.o/tag": ("mismatch", "available"),
        "io.github.o/range": ("unsupported", "unknown"),
        "io.github.o/nameless": ("marker_absent", "available"),
        "io.github.o/never": ("package_absent", "package_absent"),
    }
    assert rows["io.github.o/tag@latest"]["resolved_version"] == "1.0.0"
    assert "version_alias" in rows["io.github.o/tag@latest"]["signals"]


def test_the_short_form_tells_the_same(
    registry: Npm, line: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, "large", "1.0.0")
    publish(registry, "large", "1.1.0", scripts={"install": "node index.js"})
    line.claim(NAME, "npm", "large", "1.1.0")
    # Every full packument is now too large.
    monkeypatch.setattr("connectors.registries.npm.LARGEST", 500)
    line.profile()
    row = line.packages()[f"{NAME}@1.1.0"]
    assert (row["ownership"], row["license"]) == ("verified", "MIT")
    assert row["install_scripts"] is True
    again = line.profile()
    assert again.outcomes == {"not_modified": 1}
    assert again.requests == 1, "the validator belongs to the short form"
