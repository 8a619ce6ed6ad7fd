"""Documents of package registries, full and abbreviated, parsed to profiles."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from connectors.registries.lookup import Document, Outcome, PackageResponse
from enrich import npm, oci, pypi
from enrich.licenses import read_license
from enrich.profiles import marker_names
from enrich.recheck import confirmed, next_check

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def answer(*documents: Document) -> PackageResponse:
    return PackageResponse(Outcome.OK, "https://registry.example", documents)


def doc(kind: str, value: object, version: str = "", digest: str = "") -> Document:
    return Document(kind, json.dumps(value).encode(), version, digest)


PACKUMENT = {
    "dist-tags": {"latest": "2.0.0"},
    "versions": {
        "1.0.0": {
            "license": {"type": "MIT"},
            "mcpName": "io.github.o/s",
            "deprecated": "old",
            "scripts": {"postinstall": "x"},
            "dist": {"integrity": "sha512-x"},
        },
        "2.0.0": {
            "license": "GPL-3.0",
            "dist": {"attestations": {"provenance": {"predicateType": "p"}}},
            "repository": {"url": "git+https://github.com/o/s"},
        },
    },
    "time": {"created": "2025-01-01T00:00:00Z", "1.0.0": "2025-01-01T00:00:00Z"},
}


def test_a_packument_tells_package_and_claimed_versions() -> None:
    profile = npm.parse(
        answer(
            doc("packument", PACKUMENT),
        ),
        ("1.0.0", "3.0.0"),
    )
    assert profile is not None
    assert profile.package is not None
    assert (profile.package.latest_version, profile.package.license) == ("2.0.0", "GPL-3.0-only")
    assert profile.package.repository_url == "https://github.com/o/s"
    one, three, latest = profile.versions
    assert (one.outcome, one.deprecated, one.install_scripts) == (Outcome.OK, "old", True)
    assert (one.server_names, one.license, one.digest) == (("io.github.o/s",), "MIT", "sha512-x")
    assert three.outcome == Outcome.VERSION_ABSENT
    assert (latest.version, latest.provenance, latest.server_names) == ("2.0.0", True, ())


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ({"time": {"unpublished": {"time": "2025-01-01T00:00:00Z"}}}, Outcome.UNPUBLISHED),
        (
            {
                "dist-tags": {"latest": "0.0.1-security"},
                "versions": {"0.0.1-security": {"repository": "npm/security-holder"}},
            },
            Outcome.SECURITY_HOLD,
        ),
    ],
)
def test_a_withdrawn_npm_package_is_told_apart(document: object, outcome: Outcome) -> None:
    profile = npm.parse(
        answer(
            doc("packument", document),
        ),
        ("1.0.0",),
    )
    assert profile is not None
    assert profile.package is not None
    assert profile.package.outcome == outcome


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"versions":7}', b"\xff", b"[" * 100_000])
def test_garbage_is_no_profile(body: bytes) -> None:
    assert (
        npm.parse(
            answer(
                Document("packument", body),
            ),
            ("1",),
        )
        is None
    )
    if body != b"{}" and body != b'{"versions":7}':
        assert (
            pypi.parse(
                answer(
                    Document("index", body),
                ),
                ("1",),
            )
            is None
        )


def test_an_index_tells_yanks_and_a_release_document_the_names() -> None:
    files = [
        {
            "filename": "zoo_mcp-1.0.tar.gz",
            "yanked": "broken",
            "hashes": {"sha256": "aa"},
            "upload-time": "2025-01-01T00:00:00.5Z",
        },
        {"filename": "zoo_mcp-2.0-py3-none-any.whl", "yanked": False, "provenance": "https://x"},
        {"filename": "zoo_mcp-3.0rc1.tar.gz"},
    ]
    info = {
        "version": "2.0",
        "license": "MIT License",
        "description": "x <!-- mcp-name: io.github.o/zoo --> mcp-name: io.github.o/zoo-pro",
    }
    response = answer(doc("index", {"files": files}), doc("project", {"info": info}))
    profile = pypi.parse(response, ("1.0", "2.0", "9"))
    assert profile is not None
    assert profile.package is not None
    assert profile.package.latest_version == "2.0"
    one, two, nine = profile.versions
    assert (one.yanked, one.digest, one.server_names) == (True, "sha256:aa", None)
    assert (two.yanked, two.provenance, two.license) == (False, True, "MIT")
    assert two.server_names == ("io.github.o/zoo", "io.github.o/zoo-pro")
    assert nine.outcome == Outcome.VERSION_ABSENT


def test_a_quarantined_project_is_not_an_absent_one() -> None:
    index = {"files": [], "versions": [], "project-status": {"status": "quarantined"}}
    profile = pypi.parse(
        answer(
            doc("index", index),
        ),
        ("1.0",),
    )
    assert profile is not None
    assert profile.package is not None
    assert profile.package.outcome == Outcome.QUARANTINED


def test_an_image_config_tells_names_and_a_known_digest_tells_nothing_new() -> None:
    config = {"config": {"Labels": {"io.modelcontextprotocol.server.name": "a.b/c"}}}
    documents = (doc("manifest", {}, "v1", "sha256:1"), doc("config", config, "v1", "sha256:1"))
    outcomes = {"v1": Outcome.OK, "v2": Outcome.VERSION_ABSENT}
    profile = oci.parse(PackageResponse(Outcome.OK, "", documents, outcomes), ("v1", "v2"))
    assert profile is not None
    assert [
        (version.version, version.digest, version.server_names) for version in profile.versions
    ] == [
        ("v1", "sha256:1", ("a.b/c",)),
        ("v2", None, None),
    ]
    known = PackageResponse(
        Outcome.OK, "", (Document("digest", b"", "v1", "sha256:1"),), {"v1": Outcome.OK}
    )
    again = oci.parse(known, ("v1",))
    assert again is not None
    assert (again.package, again.versions) == (None, ())


@pytest.mark.parametrize(
    ("raw", "expression", "status"),
    [
        ("MIT", "MIT", "spdx"),
        ("Apache 2.0", "Apache-2.0", "alias"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0", "spdx"),
        ({"type": "ISC"}, "ISC", "spdx"),
        ([{"type": "MIT"}, {"type": "GPL-2.0+"}], "MIT OR GPL-2.0-or-later", "spdx"),
        ("SEE LICENSE IN LICENSE.md", None, "file"),
        ("UNLICENSED", None, "proprietary"),
        ("BSD", None, "unparsed"),
        ("MIT AND", None, "unparsed"),
        ("x" * 5000, None, "unparsed"),
        (None, None, "none"),
        (7, None, "none"),
    ],
)
def test_licenses_become_spdx_where_they_can(
    raw: object, expression: str | None, status: str
) -> None:
    declared = read_license(raw)
    assert (declared.expression, declared.status) == (expression, status)


def test_markers_are_whole_tokens() -> None:
    text = "mcp-name: a.b/c--> and mcp-name: a.b/d--!> mcp-name:a.b/e mcp-name: a.b/f\u00e9"
    assert marker_names(text) == ("a.b/c", "a.b/c--", "a.b/d", "a.b/d--", "a.b/f")
    assert marker_names("<!-- mcp-name: -->") == ("--",)


def test_an_absence_is_believed_after_three_answers_over_a_day() -> None:
    day = timedelta(hours=24)
    assert not confirmed(2, NOW - 2 * day, NOW)
    assert not confirmed(3, NOW - day / 2, NOW)
    assert confirmed(3, NOW - day, NOW)


def test_checks_are_spread_and_trouble_backs_off() -> None:
    def due(outcome: Outcome, name: str = "x", failures: int = 0, absences: int = 0) -> timedelta:
        return (
            next_check(
                name,
                outcome,
                now=NOW,
                failures=failures,
                absences=absences,
                last_published_at=NOW - timedelta(days=200),
                deferred=0,
            )
            - NOW
        )

    week = timedelta(days=7)
    spread = {due(Outcome.OK, name=f"p{number}") for number in range(50)}
    assert len(spread) == 50
    assert all(week / 4 <= delay <= 1.25 * week for delay in spread)
    days = [sum(day <= delay / timedelta(days=1) < day + 1 for delay in spread) for day in range(9)]
    assert max(days) < 20
    hours = [
        due(Outcome.UPSTREAM_ERROR, failures=count) / timedelta(hours=1) for count in (1, 2, 3, 9)
    ]
    assert hours == [1, 2, 4, 24]
    steps = [
        due(Outcome.PACKAGE_ABSENT, absences=count) / timedelta(hours=1) for count in (1, 2, 3, 4)
    ]
    assert steps == [1, 24, 168, 720]
