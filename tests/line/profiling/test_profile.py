"""The profile step against package registries on loopback."""

from datetime import timedelta

import pytest

from connectors.origins import OriginSettings
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply
from pipelines.demo.packages import Release, SamplePackage
from pipelines.line import Line
from tests.support.deployments import START, Upstream, server_json
from warehouse.database.session import Row

DAY = timedelta(days=1)


def claim(upstream: Upstream, name: str, kind: str, identifier: str, version: str = "") -> None:
    package = {"registryType": kind, "identifier": identifier, "transport": {"type": "stdio"}}
    if version:
        package["version"] = version
    upstream.registry.publish(server_json(name, packages=[package]), START - DAY)


@pytest.fixture
def claims(upstream: Upstream) -> Upstream:
    claim(upstream, "a.b/one", "npm", "@s/one", "1.0.0")
    claim(upstream, "a.b/two", "pypi", "Two_Pkg", "1.0.0")
    claim(upstream, "a.b/three", "oci", "ghcr.io/s/three:1.0.0")
    claim(upstream, "a.b/gone", "npm", "gone", "1.0.0")
    claim(upstream, "a.b/bundle", "mcpb", "https://github.com/o/r/releases/download/v1/x.mcpb")
    packages = upstream.packages
    packages.put("npm", SamplePackage("@s/one", [Release("1.0.0", START - DAY, "a.b/one")]))
    packages.put("pypi", SamplePackage("two-pkg", [Release("1.0.0", START - DAY, "a.b/two")]))
    packages.put("ghcr.io", SamplePackage("s/three", [Release("1.0.0", START - DAY, "a.b/three")]))
    return upstream


def facts(deployment: Line) -> dict[str, Row]:
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entry_packages").to_pylist()
    return {row["name"]: row for row in rows}


def test_facts_land_with_source_instant_and_state(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    report = deployment.profile()
    assert report.outcomes == {"ok": 3, "package_absent": 1}
    assert (report.due, report.rejected_refs) == (4, 1)
    rows = facts(deployment)
    for name in ("a.b/one", "a.b/two", "a.b/three"):
        assert (rows[name]["package_state"], rows[name]["version_state"]) == ("known", "known")
        assert rows[name]["server_names"] == [name]
        assert rows[name]["absent"] is False
        assert rows[name]["source"].startswith(claims.packages_url)
        assert rows[name]["observed_at"] > START
    assert (rows["a.b/gone"]["package_state"], rows["a.b/gone"]["absent"]) == ("unknown", None)
    assert rows["a.b/bundle"]["rejected"] == "unsupported_type:mcpb"


def test_a_second_run_asks_for_nothing_until_it_is_due_and_then_conditionally(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    deployment.profile()
    assert deployment.profile().due == 0
    clock.move_to(START + 4 * DAY)
    report = deployment.profile()
    assert (report.outcomes["not_modified"], report.facts) == (2, 0)


def test_an_absence_is_known_only_after_confirmation(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    seen = []
    for at in (START, START + timedelta(hours=2), START + 2 * DAY):
        clock.move_to(at)
        deployment.profile(only=("npm", "gone"))
        seen.append(facts(deployment)["a.b/gone"]["absent"])
    assert seen == [None, None, True]
    claims.packages.put("npm", SamplePackage("gone", [Release("1.0.0", START)]))
    clock.move_to(START + 3 * DAY)
    deployment.profile(only=("npm", "gone"))
    assert facts(deployment)["a.b/gone"]["absent"] is False


def withdraw(upstream: Upstream, *versions: str) -> None:
    """Withdraw all but these versions of npm's @s/one."""
    releases = [Release(version, START - DAY, "a.b/one") for version in versions]
    upstream.packages.put("npm", SamplePackage("@s/one", releases))


def test_one_glitch_hides_no_fact_and_confirms_nothing(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    deployment.profile()
    seen = []
    withdraw(claims, "0.9.0")
    for at in (DAY, 3 * DAY, 4 * DAY):
        clock.move_to(START + at)
        deployment.profile(only=("npm", "@s/one"))
        seen.append(facts(deployment)["a.b/one"]["absent"])
    assert seen == [False, False, True]
    withdraw(claims, "1.0.0")
    clock.move_to(START + 5 * DAY)
    deployment.profile(only=("npm", "@s/one"))
    assert facts(deployment)["a.b/one"]["absent"] is False


def test_a_new_claim_does_not_make_a_known_absence_unknown(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    withdraw(claims, "0.9.0")
    deployment.pull()
    for at in (timedelta(), DAY, 3 * DAY):
        clock.move_to(START + at)
        deployment.profile(only=("npm", "@s/one"))
    assert facts(deployment)["a.b/one"]["absent"] is True
    claim(claims, "a.b/other", "npm", "@s/one", "3.0.0")
    deployment.pull(full=True)
    deployment.profile(only=("npm", "@s/one"))
    rows = facts(deployment)
    assert (rows["a.b/one"]["absent"], rows["a.b/other"]["absent"]) == (True, None)


def test_a_new_claimed_version_is_asked_for_at_once(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    deployment.profile()
    package = {"registryType": "npm", "identifier": "@s/one", "version": "2.0.0"}
    server = server_json("a.b/one", "2.0.0", packages=[package | {"transport": {"type": "stdio"}}])
    claims.registry.publish(server, START + timedelta(minutes=1))
    clock.move_to(START + timedelta(minutes=15))
    deployment.pull()
    assert deployment.profile().outcomes == {"ok": 1}
    with deployment.warehouse.session() as session:
        rows = session.text(
            "SELECT version, outcome, state FROM current_version_facts WHERE package = '@s/one' "
            "ORDER BY version"
        ).to_pylist()
    assert rows == [
        {"version": "1.0.0", "outcome": "ok", "state": "known"},
        {"version": "2.0.0", "outcome": "version_absent", "state": "unknown"},
    ]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b"<html>"),
        Reply(429, b"slow", {"Retry-After": "0"}),
        Reply(200, b"<html>maintenance</html>"),
        Reply(200, b'{"versions":'),
        Reply(403, b"blocked"),
        Reply(302, b"", {"Location": "http://169.254.169.254/"}),
    ],
)
def test_trouble_changes_no_fact(
    claims: Upstream, deployment: Line, clock: FakeClock, reply: Reply
) -> None:
    deployment.pull()
    deployment.profile()
    before = {name: row["package_state"] for name, row in facts(deployment).items()}
    clock.move_to(START + 4 * DAY)
    with LoopbackServer(lambda _: reply, clock=clock) as broken:
        names = ("npm", "pypi", "oci:ghcr.io")
        origins = {name: OriginSettings(url=broken.url) for name in names}
        settings = deployment.settings.model_copy(update={"origins": origins})
        troubled = Line(settings, clock=clock, sleep=lambda _: None)
        troubled.profile(only=("npm", "@s/one"))
        clock.move_to(START + 5 * DAY)
        troubled.profile()
    after = facts(deployment)
    assert {name: row["package_state"] for name, row in after.items()} == before
    assert after["a.b/one"]["stale_since"] is not None


def test_a_time_budget_ends_a_run_and_the_next_goes_on(
    claims: Upstream, deployment: Line, clock: FakeClock
) -> None:
    deployment.pull()
    first = deployment.profile(budget=1)
    assert (first.asked, first.due) == (1, 1)
    assert deployment.profile().asked == 3


def test_one_package_is_asked_for_once_however_many_entries_claim_it(
    claims: Upstream, deployment: Line
) -> None:
    for number in range(20):
        claim(claims, f"a.b/copy{number}", "npm", "@s/one", "1.0.0")
    deployment.pull()
    # npm twice, index and project document, token flow with manifest, config and referrers
    assert deployment.profile().requests == 1 + 1 + 2 + (3 + 2 + 2)
