"""Facts when mirrors change, absences come and go, and many entries claim one package."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from pipelines.line import Line
from pipelines.refresh import refresh
from serve.entry.meta import PackageFacts
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, make_deployment, server_json
from warehouse.database.session import Row

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def told(deployment: Line) -> dict[str, Row]:
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entry_packages").to_pylist()
    return {f"{row['name']}@{row['version']}": row for row in rows}


def later(deployment: Line, gap: timedelta) -> None:
    clock = deployment.clock
    assert isinstance(clock, FakeClock)
    clock.move_to(clock() + gap)


def put(upstream: Upstream, *releases: Release, kind: str = "npm", **package: Any) -> None:
    upstream.packages.put(kind, SamplePackage("one", list(releases), **package))


FIRST = Release("1.0.0", START - 90 * DAY, "a.b/one")
SECOND = Release("1.1.0", START - 30 * DAY, "a.b/one")


def test_another_mirror_is_read_from_the_start(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    home = tmp_path / "home"
    put(upstream, FIRST, SECOND)
    put(
        upstream,
        *(replace(release, server_name="a.b/two") for release in (FIRST, SECOND)),
        kind="pypi",
    )
    claim(upstream, "a.b/one", "npm", "one", "1.0.0")
    claim(upstream, "a.b/two", "pypi", "one", "1.0.0")
    first = make_deployment(home, upstream, clock)
    first.pull()
    first.profile()
    conditional: list[str] = []

    def answer(request: Request) -> Reply:
        conditional.extend({"if-none-match", "if-modified-since"} & set(request.headers))
        return other.answer(request)

    other = PackageStandIns()
    evil = SamplePackage("one", [Release("1.0.0", START - 90 * DAY, "evil/x")])
    other.put("npm", evil)
    other.put("pypi", evil)
    clock.move_to(START + 10 * DAY)
    with LoopbackServer(answer, clock=clock) as server:
        origins = {"npm": {"url": f"{server.url}/npm"}, "pypi": {"url": f"{server.url}/pypi"}}
        make_deployment(home, upstream, clock, origins=origins).profile()
    assert conditional == []
    for key in ("a.b/one@1.0.0", "a.b/two@1.0.0"):
        row = told(first)[key]
        assert (row["ownership"], row["ownership_now"]) == ("was_verified_now_not", "mismatch")
        assert "owners_changed" not in row["signals"]


def test_all_tags_of_a_repository_are_read_in_the_end_and_then_it_rests(
    deployment: Line, upstream: Upstream
) -> None:
    tags = [Release(f"1.0.{n:02}", START - 200 * DAY + timedelta(minutes=n)) for n in range(60)]
    upstream.packages.put("ghcr.io", SamplePackage("o/r", tags))
    for tag in tags:
        name = f"n{tag.version}.example/x"
        claim(upstream, name, "oci", f"ghcr.io/o/r:{tag.version}")
    deployment.pull()
    asked = []
    for _ in range(30):
        asked.append(deployment.profile().asked)
        later(deployment, HOUR)
    assert sum(asked) == 2
    assert {row["availability"] for row in told(deployment).values()} == {"available"}


def test_nobodys_packages_wait_for_those_of_a_flood(
    deployment: Line, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.packages.facts._PER_NAMESPACE", 5)
    claim(upstream, "victim.example/one", "npm", "one", "1.0.0")
    claim(upstream, "aaa.evil/copy", "npm", "one", "1.0.0")
    put(upstream, FIRST)
    number = 0
    checked = []
    for _ in range(8):
        for _ in range(8):
            number += 1
            claim(upstream, f"aaa.evil/flood-{number}", "npm", f"flood-{number}", "1.0.0")
        deployment.pull(full=True)
        deployment.profile()
        with deployment.warehouse.session() as session:
            row = session.text("SELECT checked_at FROM package_checks WHERE package = 'one'")
        checked.append(row.to_pylist()[0]["checked_at"])
        later(deployment, 2 * DAY)
    assert checked[-1] > START + 5 * DAY


def test_trouble_confirms_no_absence(tmp_path: Path, upstream: Upstream, clock: FakeClock) -> None:
    claim(upstream, "a.b/gone", "npm", "gone", "1.0.0")
    deployment = make_deployment(tmp_path / "home", upstream, clock)
    deployment.pull()
    for _ in range(3):
        deployment.profile(only=("npm", "gone"))
        later(deployment, HOUR / 2)
    assert told(deployment)["a.b/gone@1.0.0"]["absent"] is None
    later(deployment, 2 * DAY)
    with LoopbackServer(lambda _: Reply(500), clock=clock) as broken:
        origins = {"npm": {"url": broken.url}}
        troubled = make_deployment(tmp_path / "home", upstream, clock, origins=origins)
        assert troubled.profile(only=("npm", "gone")).outcomes == {"upstream_error": 1}
    assert told(deployment)["a.b/gone@1.0.0"]["absent"] is None
    later(deployment, HOUR)
    deployment.profile(only=("npm", "gone"))
    assert told(deployment)["a.b/gone@1.0.0"]["absent"] is True


def test_each_version_has_its_own_absence(deployment: Line, upstream: Upstream) -> None:
    put(upstream, Release("0.1.0", START - 90 * DAY))
    claim(upstream, "a.b/one", "npm", "one", "1.0.0")
    deployment.pull()
    deployment.profile()
    for number in range(6):
        later(deployment, timedelta(hours=20))
        claim(upstream, f"a.b/later{number}", "npm", "one", f"2.0.{number}")
        deployment.pull(full=True)
        deployment.profile()
    rows = told(deployment)
    assert rows["a.b/one@1.0.0"]["availability"] == "version_absent"
    assert rows["a.b/later5@1.0.0"]["availability"] == "unknown", "asked for once"


def test_deleting_an_old_release_makes_no_new_name(deployment: Line, upstream: Upstream) -> None:
    for kind in ("npm", "pypi"):
        put(upstream, FIRST, SECOND, kind=kind)
        claim(upstream, f"{kind}.b/one", kind, "one", "1.1.0")
    deployment.pull()
    deployment.profile()
    for kind in ("npm", "pypi"):
        put(upstream, SECOND, kind=kind)
    later(deployment, 10 * DAY)
    deployment.profile()
    for row in told(deployment).values():
        assert not {"name_reused", "digest_moved"} & set(row["signals"])


def test_an_alias_that_follows_a_release_is_no_alarm(deployment: Line, upstream: Upstream) -> None:
    put(upstream, FIRST)
    claim(upstream, "a.b/one", "npm", "one", "latest")
    deployment.pull()
    deployment.profile()
    put(upstream, FIRST, SECOND)
    later(deployment, 10 * DAY)
    deployment.profile()
    row = told(deployment)["a.b/one@1.0.0"]
    assert (row["resolved_version"], row["ownership"]) == ("1.1.0", "verified")
    assert "digest_moved" not in row["signals"]


def test_a_mirror_that_tells_less_erases_nothing(deployment: Line, upstream: Upstream) -> None:
    put(upstream, FIRST, kind="pypi", owners=("ann",))
    claim(upstream, "a.b/one", "pypi", "one", "1.0.0")
    deployment.pull()
    deployment.profile()
    before = told(deployment)["a.b/one@1.0.0"]

    def poorer(request: Request) -> Reply:
        if request.target.startswith("/pypi/simple/"):
            file = b'{"filename":"one-1.0.0.tar.gz"}'
            return Reply(200, b'{"name":"one","files":[' + file + b"]}")
        return Reply(404)

    later(deployment, 10 * DAY)
    with LoopbackServer(poorer, clock=deployment.clock) as server:
        home, clock = deployment.settings.home, deployment.clock
        origins = {"pypi": {"url": f"{server.url}/pypi"}}
        make_deployment(home, upstream, clock, origins=origins).profile()
    after = told(deployment)["a.b/one@1.0.0"]
    for name in ("ownership", "availability", "digest", "version_published_at", "license"):
        assert after[name] == before[name], name


def test_an_attestation_that_is_refused_does_not_keep_a_package_due(
    deployment: Line, upstream: Upstream
) -> None:
    put(upstream, Release("1.0.0", START - 700 * DAY, "a.b/one", provenance=True))
    claim(upstream, "a.b/one", "npm", "one", "1.0.0")
    deployment.pull()

    def refusing(request: Request) -> Reply:
        if "/attestations/" in request.target:
            return Reply(403, b"<html>", {"Content-Type": "text/html"})
        return upstream.packages.answer(request)

    with LoopbackServer(refusing, clock=deployment.clock) as server:
        home, clock = deployment.settings.home, deployment.clock
        origins = {"npm": {"url": f"{server.url}/npm"}}
        refused = make_deployment(home, upstream, clock, origins=origins)
        asked = []
        for _ in range(48):
            asked.append(refused.profile().asked)
            later(deployment, HOUR)
    assert sum(asked) == 1
    row = told(deployment)["a.b/one@1.0.0"]
    assert (row["provenance"], row["provenance_repository"]) == (True, None)


def test_provenance_names_the_repository_it_was_built_from(
    deployment: Line, upstream: Upstream
) -> None:
    site = "https://github.com/o/one"
    release = Release("1.0.0", START - 90 * DAY, "a.b/one", provenance=True)
    put(upstream, release, repository=site)
    package = {"registryType": "npm", "identifier": "one", "version": "1.0.0"}
    for name, url in (("a.b/one", site), ("a.b/other", "https://github.com/o/other")):
        server = server_json(
            name,
            packages=[package | {"transport": {"type": "stdio"}}],
            repository={"url": url, "source": "github"},
        )
        upstream.registry.publish(server, START - DAY)
    deployment.pull()
    deployment.profile()
    rows = told(deployment)
    assert rows["a.b/one@1.0.0"]["provenance_repository"] == site
    assert "provenance_differs" not in rows["a.b/one@1.0.0"]["signals"]
    assert {"provenance_differs", "repository_differs"} <= set(rows["a.b/other@1.0.0"]["signals"])


def test_signals_reach_the_feed_and_its_rules(tmp_path: Path, upstream: Upstream) -> None:
    clock = FakeClock(START)
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    (feeds / "team.toml").write_text(
        'name = "team"\ntitle = "Team"\nbase_path = "/"\ndefault = "admit"\n'
        '[[rules]]\nname = "not-theirs"\nverdict = "exclude"\nreason = "names another server"\n'
        "when = \"list_contains(ownerships, 'mismatch') OR days_behind > 1000\"\n"
        'unknown = "skip"\n'
    )
    put(upstream, FIRST, SECOND)
    claim(upstream, "a.b/one", "npm", "one", "1.0.0")
    claim(upstream, "a.b/copy", "npm", "one", "1.0.0")
    deployment = make_deployment(tmp_path / "home", upstream, clock, feeds=feeds)
    refresh(deployment, profile=True, report_step=lambda *_: None)
    live = deployment.feed("team").current()
    assert live is not None
    assert [live.keys.pair(index)[0] for index in range(live.count)] == ["a.b/one"]
    (package,) = json.loads(live.body(0))["_meta"]["local.subregistry/enrichment"]["packages"]
    facts = msgspec.convert(package, PackageFacts)
    assert (facts.ownership, facts.availability, facts.claimants) == ("verified", "available", 2)
    assert (facts.behind, facts.days_behind) == (1, 60)
    assert set(facts.signals) == {"verified", "behind", "multi_claim"}
    assert (facts.source, facts.state) == ("npm", "known")


def test_a_packages_repository_is_known_to_match_only_if_all_tell(
    deployment: Line, upstream: Upstream
) -> None:
    put(upstream, FIRST, repository="https://github.com/o/one")
    put(upstream, FIRST, kind="pypi")
    packages = [
        {"registryType": kind, "identifier": "one", "version": "1.0.0"} for kind in ("npm", "pypi")
    ]
    server = server_json(
        "a.b/one",
        packages=[package | {"transport": {"type": "stdio"}} for package in packages],
        repository={"url": "https://github.com/O/One.git", "source": "github"},
    )
    upstream.registry.publish(server, START - DAY)
    deployment.pull()
    deployment.profile()
    with deployment.warehouse.session() as session:
        (row,) = session.text("SELECT repository_matches FROM package_columns_now").to_pylist()
    assert row["repository_matches"] is None


def test_a_license_that_was_given_up_is_gone(deployment: Line, upstream: Upstream) -> None:
    put(upstream, FIRST, license="MIT", repository="https://github.com/o/one")
    claim(upstream, "a.b/one", "npm", "one", "1.1.0")
    deployment.pull()
    deployment.profile()
    put(upstream, FIRST, SECOND, license="UNLICENSED")
    later(deployment, 10 * DAY)
    deployment.profile()
    row = told(deployment)["a.b/one@1.0.0"]
    assert (row["license"], row["license_status"]) == (None, "proprietary")
    assert row["package_repository_url"] is None


def test_tags_that_never_were_block_no_new_one_and_a_deleted_one_is_found(
    deployment: Line, upstream: Upstream
) -> None:
    names = [f"1.0.{n:03}" for n in range(70)]

    def push(*tags: str) -> None:
        releases = [
            Release(tag, START - 200 * DAY + n * timedelta(minutes=1))
            for n, tag in enumerate((*names, *tags))
        ]
        upstream.packages.put("ghcr.io", SamplePackage("o/r", releases))

    push("9.0.0")
    for number in range(60):
        claim(upstream, f"f{number}.example/x", "oci", f"ghcr.io/o/r:0.0.{number:02}")
    for name in names:
        claim(upstream, f"n{name}.example/x", "oci", f"ghcr.io/o/r:{name}")
    deployment.pull()
    for _ in range(5):
        deployment.profile()
        later(deployment, 2 * HOUR)
    claim(upstream, "new.example/x", "oci", "ghcr.io/o/r:9.0.0")
    deployment.pull(full=True)
    deployment.profile()
    assert told(deployment)["new.example/x@1.0.0"]["availability"] == "available"
    gone = names.pop()
    push("9.0.0")
    for _ in range(40):
        later(deployment, DAY)
        deployment.profile()
    row = told(deployment)[f"n{gone}.example/x@1.0.0"]
    assert row["availability"] == "version_withdrawn"


def test_provenance_is_read_again_when_the_files_are_others(
    deployment: Line, upstream: Upstream
) -> None:
    first = replace(FIRST, provenance=True)
    put(upstream, first, SECOND, kind="pypi", repository="https://github.com/o/one")
    claim(upstream, "a.b/one", "pypi", "one", "1.0.0")
    deployment.pull()
    deployment.profile()
    before = told(deployment)["a.b/one@1.0.0"]
    assert before["provenance_repository"] == "https://github.com/o/one"
    with deployment.warehouse.session() as session:
        session.text("UPDATE version_facts SET digest = 'sha256:other' WHERE version = '1.0.0'")
    put(upstream, first, SECOND, kind="pypi", repository="https://github.com/o/two")
    later(deployment, 10 * DAY)
    with deployment.warehouse.session() as session:
        session.text("UPDATE package_checks SET etag = ''")
    deployment.profile()
    after = told(deployment)["a.b/one@1.0.0"]
    assert after["provenance_repository"] == "https://github.com/o/two"
