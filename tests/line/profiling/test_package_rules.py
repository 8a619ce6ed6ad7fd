"""Rules on packages say what people mean: licenses, scopes, images, identifiers."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.packages import Release, SamplePackage
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, server_json
from tests.support.policies import make_team, published, verdicts

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
