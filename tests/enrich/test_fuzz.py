"""Canonicalization and parsers on input that nobody would write: every input has an answer."""

import json
import os
from dataclasses import asdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.origins import default_url
from connectors.registries.lookup import Document, Outcome, PackageResponse
from connectors.registries.releases import version_of_file
from enrich.ecosystem import PackageKey, PackageRef, Rejected
from enrich.ecosystems import ECOSYSTEMS, canonicalise, read
from enrich.licenses import read_license
from enrich.profiles import Profile, marker_names, repository, text

# CI runs a sample; `make campaign` sets the number of inputs for each of these tests.
INPUTS = int(os.environ.get("SUBREGISTRY_FUZZ", "1500"))
fuzzed = settings(
    max_examples=INPUTS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)

WORDS = st.sampled_from(
    [
        *("", ".", "..", "a", "@s/p", "ghcr.io", "docker.io/x", "x:latest", "1.0.0", "v1", "^1"),
        *("sha256:" + "0" * 64, "ghcr.io/o/r@sha256:" + "a" * 64, "latest", "%2e%2e", "9" * 5000),
        *(default_url("npm"), default_url("pypi"), "https://docker.io", "http://169.254.169.254"),
        *("\u202e", "\ud800", "a\x00b", "@", ":", "/", "-", "-->"),
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=20), max_size=4).map("".join)
KINDS = st.sampled_from(["npm", "pypi", "oci", "mcpb", ""]) | st.text(max_size=5)

KEYS = st.sampled_from(
    [
        *("name", "versions", "time", "dist-tags", "latest", "1.0.0", "2.0.0", "unpublished"),
        *("created", "license", "licenses", "type", "url", "repository", "mcpName", "deprecated"),
        *("scripts", "postinstall", "hasInstallScript", "dist", "integrity", "attestations"),
        *("maintainers", "files", "filename", "yanked", "upload-time", "hashes", "sha256", "user"),
        *("provenance", "project-status", "status", "info", "version", "description", "meta"),
        *("classifiers", "license_expression", "project_urls", "ownership", "roles", "publisher"),
        *("attestation_bundles", "kind", "predicateType", "bundle", "dsseEnvelope", "payload"),
        *("subject", "digest", "sha512", "predicate", "buildDefinition", "externalParameters"),
        *("workflow", "manifests", "platform", "os", "architecture", "config", "Labels"),
        *("annotations", "layers", "artifactType", "io.modelcontextprotocol.server.name"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.sampled_from(
        [
            *("p-1.0.0.tar.gz", "p-1.0.0-py3-none-any.whl", "2025-01-01T00:00:00Z", "MIT"),
            *("0.0.1-security", "npm/security-holder", "git+ssh://git@github.com/o/r.git"),
            *("mcp-name: a.b/c-->", "me@mail.example", "https://slsa.dev/provenance/v1", "GitHub"),
            *("quarantined", "sha512-AA==", "License :: OSI Approved :: MIT License"),
        ]
    )
)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6),
    max_leaves=25,
)
BODIES = DOCUMENTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50)
NAMES = st.sampled_from(
    [
        *("packument", "abbreviated", "version", "attestations", "index", "project", "release"),
        *("provenance", "manifest", "config", "referrers", "digest"),
    ]
)
PARTS = st.builds(
    Document, NAMES, BODIES, st.sampled_from(["", "1.0.0", "latest"]), st.just("sha256:0")
)
ANSWERS = st.builds(
    PackageResponse,
    st.sampled_from(list(Outcome)),
    st.just("https://registry.example"),
    st.lists(PARTS, max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["1.0.0", "latest"]), st.sampled_from(list(Outcome))),
)


@fuzzed
@given(KINDS, TEXTS, TEXTS, TEXTS)
def test_every_reference_has_an_answer(kind: str, base: str, name: str, version: str) -> None:
    key = canonicalise(PackageRef(kind, base, name, version))
    assert isinstance(key, PackageKey | Rejected)
    if isinstance(key, PackageKey):
        assert key.origin.partition(":")[0] in ECOSYSTEMS
        assert not {"..", ".", ""} & set(key.package.split("/"))
        assert not set("?#%\\ \r\n\x00") & set(key.package + key.version)
        assert key.origin.partition(":")[2] in ("", "docker.io", "ghcr.io")
        assert str(key.version_kind)


@fuzzed
@given(st.sampled_from(["npm", "pypi", "oci:ghcr.io"]), ANSWERS)
def test_every_answer_has_a_profile_or_none(origin: str, fetched: PackageResponse) -> None:
    profile = read(origin, fetched, ("1.0.0", "latest"))
    assert profile is None or isinstance(profile, Profile)
    if profile is not None:
        rows = [asdict(version) for version in profile.versions]
        rows += [asdict(profile.package)] if profile.package else []
        for value in (value for facts in rows for value in facts.values()):
            if isinstance(value, str):
                assert "@mail" not in value
                # A lone surrogate would raise here.
                value.encode()
            elif isinstance(value, int):
                assert -(2**31) < value < 2**31


@fuzzed
@given(DOCUMENTS, TEXTS)
def test_every_text_has_a_meaning_or_none(value: Any, words: str) -> None:
    declared = read_license(value)
    assert declared.expression is None or isinstance(declared.expression, str)
    assert (repository(words) or "https://").startswith("https://")
    assert all(name for name in marker_names(f"mcp-name: {words}"))
    assert isinstance(version_of_file(words, words), str)
    cleaned = text(words)
    assert cleaned is None or len(cleaned) <= 200
