"""Versions are compared by the rules of their ecosystem, and shown as the registry spells them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from connectors.registries.releases import version_key
from enrich.ecosystem import PackageKey, PackageRef
from enrich.ecosystems import canonicalise
from pipelines.demo.packages import Release, SamplePackage
from pipelines.line import Line
from tests.line.profiling.test_facts import told
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream

RELEASE = Release("1.0.0", START - timedelta(days=90), "a.b/one", provenance=True)


@pytest.mark.parametrize("claimed", ["1.0", "1", "1.0.0", "v1.0.0", "1.0.0.0", "01.0"])
def test_equal_python_versions_are_one(deployment: Line, upstream: Upstream, claimed: str) -> None:
    newer = replace(RELEASE, version="1.1", published_at=START - timedelta(days=30))
    upstream.packages.put("pypi", SamplePackage("one", [RELEASE, newer]))
    claim(upstream, "a.b/one", "pypi", "one", claimed)
    deployment.pull()
    deployment.profile()
    row = told(deployment)["a.b/one@1.0.0"]
    assert (row["availability"], row["ownership"]) == ("available", "verified")
    assert (row["newer_versions"], row["latest_version"]) == (1, "1.1")
    assert row["claimed_version"] == claimed
    assert row["digest"]


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))
SUFFIXES = st.sampled_from(["", "rc1", "c1", ".post0", "-0", ".dev0", "+local", "A1", "alpha1"])
VERSIONS = st.builds(str.__add__, NUMBERS, SUFFIXES)


@given(VERSIONS, VERSIONS)
def test_keys_are_equal_where_versions_are(one: str, other: str) -> None:
    assert (version_key(one) == version_key(other)) == (Version(one) == Version(other))


@pytest.mark.parametrize(
    ("claimed", "kind", "version"),
    [
        ("1.2.3", "exact", "1.2.3"),
        ("v1.2.3", "exact", "1.2.3"),
        ("=1.2.3", "exact", "1.2.3"),
        ("1.2.3+b.1", "exact", "1.2.3"),
        ("1.2.3-rc.1+b.1", "exact", "1.2.3-rc.1"),
        ("1.2.3beta", "exact", "1.2.3-beta"),
        ("1.2.3-01.rc.002", "exact", "1.2.3-1.rc.2"),
        ("1.2.\u0663", "invalid", "1.2.\u0663"),
        ("1", "range", "1"),
        ("1.2", "range", "1.2"),
        ("v1.2", "range", "v1.2"),
        ("1.x", "range", "1.x"),
        ("1.2.x", "range", "1.2.x"),
        ("^1.2.3", "range", "^1.2.3"),
        ("*", "range", "*"),
        ("latest", "alias", "latest"),
        ("next-11", "alias", "next-11"),
        ("1.2.3.4", "invalid", "1.2.3.4"),
    ],
)
def test_npm_versions_are_read_as_npm_reads_them(claimed: str, kind: str, version: str) -> None:
    key = canonicalise(PackageRef("npm", "", "@s/one", claimed))
    assert isinstance(key, PackageKey)
    assert (key.version_kind, key.version) == (kind, version)


@pytest.mark.parametrize("claimed", ["v1.0.0", "=1.0.0", "1.0.0+b.1"])
def test_a_loose_npm_version_is_found(deployment: Line, upstream: Upstream, claimed: str) -> None:
    upstream.packages.put("npm", SamplePackage("one", [RELEASE]))
    claim(upstream, "a.b/one", "npm", "one", claimed)
    deployment.pull()
    deployment.profile()
    row = told(deployment)["a.b/one@1.0.0"]
    assert (row["availability"], row["ownership"]) == ("available", "verified")
