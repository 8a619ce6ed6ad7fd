"""Package references as publishers write them, and as attackers would."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrich.ecosystem import PackageKey, PackageRef, Rejected
from enrich.ecosystems import canonicalise
from tests.support.shared import base_dump, timeline


def ref(kind: str, identifier: str, version: str = "", base: str = "") -> PackageRef:
    return PackageRef(kind, base, identifier, version)


@pytest.mark.parametrize(
    ("found", "origin", "package", "version", "purl"),
    [
        (ref("npm", "@s/N.ame", "1.0.0"), "npm", "@s/N.ame", "1.0.0", "pkg:npm/%40s/n.ame@1.0.0"),
        (ref("npm", "plain"), "npm", "plain", "", "pkg:npm/plain"),
        (ref("pypi", "Zoo_MCP", "v0.2.1"), "pypi", "zoo-mcp", "0.2.1", "pkg:pypi/zoo-mcp@v0.2.1"),
        (ref("pypi", "a.b", "auto"), "pypi", "a-b", "auto", "pkg:pypi/a-b@auto"),
        (
            ref("oci", "ghcr.io/o/r:v1"),
            "oci:ghcr.io",
            "o/r",
            "v1",
            "pkg:oci/r?repository_url=ghcr.io/o/r&tag=v1",
        ),
        (
            ref("oci", "docker.io/mcp/x@sha256:" + "a" * 64),
            "oci:docker.io",
            "mcp/x",
            "sha256:" + "a" * 64,
            "pkg:oci/x@sha256:" + "a" * 64 + "?repository_url=docker.io/mcp/x",
        ),
        (
            ref("oci", "nginx", "1.2", "https://docker.io"),
            "oci:docker.io",
            "library/nginx",
            "1.2",
            "pkg:oci/nginx?repository_url=docker.io/library/nginx&tag=1.2",
        ),
        (
            ref("oci", "us-docker.pkg.dev/p/r/i"),
            "oci:us-docker.pkg.dev",
            "p/r/i",
            "latest",
            "pkg:oci/i?repository_url=us-docker.pkg.dev/p/r/i&tag=latest",
        ),
    ],
)
def test_a_reference_has_one_identity(
    found: PackageRef, origin: str, package: str, version: str, purl: str
) -> None:
    key = canonicalise(found)
    assert isinstance(key, PackageKey)
    assert (key.origin, key.package, key.version, key.purl) == (origin, package, version, purl)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ref("npm", "../../x"), "identifier_grammar"),
        (ref("npm", "@s/.."), "identifier_grammar"),
        (ref("npm", "a/b/c"), "identifier_grammar"),
        (ref("npm", "a%2fb"), "identifier_grammar"),
        (ref("npm", "a b"), "identifier_grammar"),
        (ref("npm", "x", "1.0.0", "http://169.254.169.254"), "unsupported_base_url"),
        (ref("npm", "x", "1/../2"), "version_grammar"),
        (ref("pypi", "x", "1?y"), "version_grammar"),
        (ref("pypi", "-x"), "identifier_grammar"),
        (ref("oci", "localhost/x:1"), "unsupported_host"),
        (ref("oci", "127.0.0.1/x:1"), "unsupported_host"),
        (ref("oci", "evilpkg.dev/x:1"), "unsupported_host"),
        (ref("oci", "ghcr.io:444/x:1"), "unsupported_host"),
        (ref("oci", "a@b.pkg.dev/x:1"), "reference_grammar"),
        (ref("oci", "ghcr.io/SamYuan/x:1"), "identifier_grammar"),
        (ref("oci", "ghcr.io/o/../x:1"), "identifier_grammar"),
        (ref("oci", "docker.io/mcp/s:sha256:d9dc"), "reference_grammar"),
        (ref("mcpb", "https://github.com/x"), "unsupported_type:mcpb"),
    ],
)
def test_a_reference_that_may_not_be_asked_for_says_why(found: PackageRef, reason: str) -> None:
    assert canonicalise(found) == Rejected(reason)


@given(st.sampled_from(["npm", "pypi", "oci", "other"]), st.text(), st.text(), st.text(max_size=20))
def test_every_input_has_an_answer(kind: str, base: str, identifier: str, version: str) -> None:
    key = canonicalise(PackageRef(kind, base, identifier, version))
    assert isinstance(key, PackageKey | Rejected)
    if isinstance(key, PackageKey):
        assert not {"..", ".", ""} & set(key.package.split("/"))


def test_of_the_recorded_references_only_two_malformed_ones_are_rejected() -> None:
    entries = {json.dumps(entry["server"]): entry for entry in base_dump()}
    for _, upserts in timeline():
        entries |= {json.dumps(entry["server"]): entry for entry in upserts}
    rejected = set()
    for entry in entries.values():
        for package in entry["server"].get("packages", []):
            key = canonicalise(
                PackageRef(
                    package["registryType"],
                    package.get("registryBaseUrl", ""),
                    package["identifier"],
                    package.get("version", ""),
                )
            )
            if isinstance(key, Rejected) and not key.reason.startswith("unsupported_type"):
                rejected.add((package["identifier"], key.reason))
    assert {(name.removeprefix("ghcr.io/").partition(":")[0], why) for name, why in rejected} == {
        ("SamYuan1990/i18n-agent-action", "identifier_grammar"),
        ("docker.io/mcp/sonarqube", "reference_grammar"),
        ("mcp/sonarqube", "reference_grammar"),
    }
