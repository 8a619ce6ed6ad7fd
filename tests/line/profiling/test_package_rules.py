"""Rules on packages say what people mean: licenses, scopes, images, identifiers."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.packages import Release, SamplePackage
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import served
from tests.support.policies import HEAD, make_team, published, shown, verdicts
from warehouse.errors import ExpressionRefused
from warehouse.expressions.compile import compile_predicate

NAMES = ("mit", "own", "bare", "image", "late")
STDIO = {"type": "stdio"}
RELEASE = Release("1.0.0", START - timedelta(days=90))


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ("list_has_all(['MIT', 'Apache-2.0'], licenses)", {"a.b/mit", "a.b/image"}),
        ("list_has_any(['MIT', 'Apache-2.0'], licenses)", {"a.b/mit", "a.b/image"}),
        ("list_contains(licenses, 'NOASSERTION')", {"a.b/own"}),
        ("list_contains(licenses, 'NONE')", {"a.b/bare"}),
        ("list_contains(license_statuses, 'proprietary')", {"a.b/own"}),
        ("list_contains(license_statuses, 'none')", {"a.b/bare"}),
        ("list_contains(license_statuses, 'unknown')", {"a.b/late"}),
        ("list_contains(npm_scopes, '@s')", {"a.b/mit", "a.b/late"}),
        ("list_contains(image_hosts, 'ghcr.io')", {"a.b/image"}),
        ("list_contains(image_owners, 'o')", {"a.b/image"}),
        ("list_contains(package_identifiers, '@s/mit')", {"a.b/mit"}),
        ("upstream = 'official' AND is_latest", {f"a.b/{name}" for name in NAMES}),
        ("any_package(registry_type = 'npm' AND license = 'MIT')", {"a.b/mit"}),
        ("any_package(registry_type = 'oci' AND license IN ('MIT', 'Apache-2.0'))", {"a.b/image"}),
        ("NOT any_package(license IN ('MIT', 'Apache-2.0'))", {"a.b/own", "a.b/bare"}),
        ("NOT any_package(registry_type = 'npm')", {"a.b/image"}),
        (
            "any_package(claimed_version = '1.0.0' AND NOT starts_with(identifier, '@'))",
            {"a.b/own", "a.b/bare"},
        ),
        # Of a package that nobody asked for yet, nothing is known.
        (
            "any_package(NOT list_contains(signals, 'provenance') AND registry_type = 'npm')",
            {"a.b/mit", "a.b/own", "a.b/bare"},
        ),
        ("any_package(license = 'NOASSERTION')", {"a.b/own", "a.b/bare"}),
        ("any_package(NOT yanked AND registry_type = 'npm')", {"a.b/mit", "a.b/own", "a.b/bare"}),
        ("any_package(NOT (license NOT IN ('MIT') OR identifier = 'x'))", {"a.b/mit"}),
        ("contains(concat_ws(' ', title, description), 'server mit')", {"a.b/mit"}),
    ],
)
def test_a_rule_takes_the_packages_that_it_means(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, when: str, matches: set[str]
) -> None:
    text = f"""
    [[rules]]
    name = "it"
    verdict = "exclude"
    when = "{when}"
    unknown = "skip"
    reason = "it matches"
    """
    deployment = make_team(tmp_path, upstream, clock, text)
    upstream.packages.put("npm", SamplePackage("@s/mit", [RELEASE], license="MIT"))
    upstream.packages.put("npm", SamplePackage("own", [RELEASE], license="UNLICENSED"))
    upstream.packages.put("npm", SamplePackage("bare", [RELEASE], license=""))
    upstream.packages.put("ghcr.io", SamplePackage("o/image", [RELEASE]))
    claim(upstream, "a.b/mit", "npm", "@s/mit", "1.0.0")
    claim(upstream, "a.b/own", "npm", "own", "1.0.0")
    claim(upstream, "a.b/bare", "npm", "bare", "1.0.0")
    claim(upstream, "a.b/image", "oci", "ghcr.io/o/image:1.0.0")
    deployment.pull()
    deployment.profile()
    late = {"registryType": "npm", "identifier": "@s/late", "version": "1.0.0", "transport": STDIO}
    upstream.registry.publish(server_json("a.b/late", packages=[late]), START)
    published(deployment)
    taken = {
        key.partition("@")[0] for key, (_, rule) in verdicts(deployment).items() if rule == "it"
    }
    assert taken == matches


def test_the_test_of_one_package_is_not_that_of_all(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    """Both packages together have all it takes, but none has it alone; with nothing known yet the
    test is unknown."""
    text = """
    [[rules]]
    name = "trusted"
    verdict = "admit"
    when = "any_package(registry_type = 'npm' AND ownership = 'verified' AND license = 'MIT')"
    unknown = "skip"
    reason = "an npm package of its publisher under MIT"
    """
    head = HEAD.replace('default = "admit"', 'default = "exclude"')
    deployment = make_team(tmp_path, upstream, clock, text, head=head)
    upstream.packages.put("npm", SamplePackage("plain", [RELEASE], license="MIT"))
    owned = Release("1.0.0", RELEASE.published_at, "a.b/mixed")
    upstream.packages.put("npm", SamplePackage("owned", [owned], license="Apache-2.0"))
    whole = Release("1.0.0", RELEASE.published_at, "a.b/whole")
    upstream.packages.put("npm", SamplePackage("whole", [whole], license="MIT"))
    packages = {"a.b/mixed": ("plain", "owned"), "a.b/whole": ("whole",), "a.b/none": ()}
    for name, identifiers in packages.items():
        claims = [npm(identifier) for identifier in identifiers]
        upstream.registry.publish(server_json(name, packages=claims), START)
    deployment.pull()
    deployment.profile()
    published(deployment)
    assert verdicts(deployment) == {
        "a.b/mixed@1.0.0": ("exclude", "default"),
        "a.b/whole@1.0.0": ("admit", "trusted"),
        "a.b/none@1.0.0": ("exclude", "default"),
    }


def npm(identifier: str) -> dict[str, object]:
    claimed = {"registryType": "npm", "identifier": identifier, "version": "1.0.0"}
    return claimed | {"transport": STDIO}


def test_single_packages_are_dropped_with_a_reason(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    text = """
    [[drop]]
    name = "no-copyleft"
    when = "license = 'GPL-3.0-only'"
    unknown = "match"
    reason = "we ship no copyleft"
    """
    deployment = make_team(tmp_path, upstream, clock, text)
    for name, spdx in (("mit", "MIT"), ("gpl", "GPL-3.0-only")):
        upstream.packages.put("npm", SamplePackage(name, [RELEASE], license=spdx))
    both = server_json("a.b/both", packages=[npm("gpl"), npm("mit")])
    only = server_json("a.b/only", packages=[npm("gpl")])
    del only["remotes"]
    for server in (both, only):
        upstream.registry.publish(server, START)
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert shown(client) == ["a.b/both@1.0.0"]
        before = client.json("/health")["sequence"]
        assert "packages" not in client.json("/v0.1/servers/a.b%2Fboth")["server"]
        deployment.profile()
        published(deployment)
        client.until(lambda: client.json("/health")["sequence"] > before)
        entry = client.json("/v0.1/servers/a.b%2Fboth")
        assert [part["identifier"] for part in entry["server"]["packages"]] == ["mit"]
        block = entry["_meta"]["local.subregistry/enrichment"]
        assert [part["identifier"] for part in block["packages"]] == ["mit"]
        (version,) = client.json("/explain/a.b%2Fboth")["versions"]
        assert version["treatments"] == [
            {"kind": "dropped", "rule": "no-copyleft", "detail": "npm gpl: we ship no copyleft"}
        ]
        (version,) = client.json("/explain/a.b%2Fonly")["versions"]
        assert version["state"] == "withheld"
        assert "every package of it is dropped" in version["summary"]
        raw = client.json("/v0.1/servers/a.b%2Fboth?raw=true")["server"]
        assert raw == both


def test_what_cannot_be_judged_package_by_package_is_not_shown(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    """A member of a wrong type hides the packages of an entry from the rules."""
    text = """
    [[drop]]
    name = "no-npm"
    when = "registry_type = 'npm'"
    reason = "not here"
    """
    deployment = make_team(tmp_path, upstream, clock, text)
    upstream.registry.publish(server_json("a.b/odd", title=5, packages=[npm("gpl")]), START)
    upstream.registry.publish(server_json("a.b/plain", packages=[npm("gpl")]), START)
    published(deployment)
    with served(deployment.settings.feed_root, ("team", "/")) as client:
        assert shown(client) == ["a.b/plain@1.0.0"]
        assert "packages" not in client.json("/v0.1/servers/a.b%2Fplain")["server"]
        (version,) = client.json("/explain/a.b%2Fodd")["versions"]
        assert version["state"] == "withheld"
        assert "cannot be told one from the other" in version["summary"]


@pytest.mark.parametrize("test", ["claimed_version = 2", "license = 5", "days_behind > identifier"])
def test_a_test_that_could_only_fail_is_refused(test: str) -> None:
    with pytest.raises(ExpressionRefused, match="do not fit"):
        compile_predicate(f"any_package({test})")
