"""What a new ecosystem needs, and how each ecosystem reads the recorded references."""

from collections import defaultdict
from pathlib import Path

import pytest

from connectors.http.client import HttpClient
from connectors.origins import Origin
from connectors.registries.clients import Connector, Probe
from connectors.registries.lookup import Document, Outcome, PackageRequest, PackageResponse
from enrich import ecosystems
from enrich.ecosystem import Ecosystem, PackageKey, PackageRef, Rejected, VersionKind
from enrich.profiles import PackageFact, Profile, VersionFact
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply
from tests.line.profiling.test_profile import claim, facts
from tests.support.deployments import START, Upstream, make_deployment
from tests.support.shared import base_dump, timeline
from warehouse.database.warehouse import Warehouse


def recorded() -> list[PackageRef]:
    """The package references of the 2,253 entries of 2025-11-30."""
    entries = {
        (entry["server"]["name"], entry["server"]["version"]): entry for entry in base_dump()
    }
    for _, upserts in timeline():
        entries |= {
            (entry["server"]["name"], entry["server"]["version"]): entry for entry in upserts
        }
    return [
        PackageRef(
            package["registryType"],
            package.get("registryBaseUrl", ""),
            package["identifier"],
            package.get("version", ""),
        )
        for entry in entries.values()
        for package in entry["server"].get("packages", [])
    ]


def test_the_recorded_references_come_to_the_counts_of_their_readme() -> None:
    refs = recorded()
    rows: dict[str, int] = defaultdict(int)
    names: dict[str, set[str]] = defaultdict(set)
    keys: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    rejected = set()
    for ref in refs:
        rows[ref.registry_type] += 1
        key = ecosystems.canonicalise(ref)
        if isinstance(key, PackageKey):
            names[ref.registry_type].add(f"{key.origin} {key.package}")
            keys[ref.registry_type].add((key.origin, key.package, key.version))
        elif ref.registry_type in ecosystems.ECOSYSTEMS:
            rejected.add(ref.identifier)
    assert dict(rows) == {"npm": 850, "pypi": 392, "oci": 282, "mcpb": 123, "nuget": 25}
    assert (len(names["npm"]), len(names["pypi"])) == (272, 134)
    assert (len(keys["npm"]), len(keys["pypi"])) == (738, 376)
    # 257 references, two of them malformed; each of the others is one tag of one image.
    assert len({ref.identifier for ref in refs if ref.registry_type == "oci"}) == 257
    assert len(keys["oci"]) == 255
    assert len(rejected) == 2


def _canonicalise(ref: PackageRef, _: frozenset[str]) -> PackageKey | Rejected:
    if not ref.identifier.isalnum():
        return Rejected("identifier_grammar")
    purl = f"pkg:nuget/{ref.identifier}@{ref.version}"
    return PackageKey("nuget", ref.identifier.lower(), ref.version, purl, VersionKind.EXACT)


def _fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
    answer = http.get(f"{origin.url}/{target.package}")
    return PackageResponse(Outcome.OK, origin.url, (Document("index", answer.body),))


def _parse(fetched: PackageResponse, versions: tuple[str, ...]) -> Profile | None:
    listed = fetched.documents[0].body.decode().split()
    version_facts = [
        VersionFact(version, Outcome.OK if version in listed else Outcome.VERSION_ABSENT)
        for version in versions
    ]
    return Profile(PackageFact(Outcome.OK, latest_version=listed[-1]), tuple(version_facts))


def test_the_warehouse_knows_every_ecosystem(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").session() as session:
        rows = session.text("FROM ecosystems").to_pylist()
    assert {row["kind"]: [*row.values()][1:] for row in rows} == {
        kind: [
            ecosystem.advisories,
            ecosystem.publication,
            ecosystem.marker_in_text,
            ecosystem.fixed_digest,
        ]
        for kind, ecosystem in ecosystems.ECOSYSTEMS.items()
    }


def test_another_ecosystem_is_a_connector_and_a_profile(
    upstream: Upstream, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = Connector(_fetch, lambda _: None, lambda *_: Probe("answers"))
    ecosystem = Ecosystem(
        "nuget",
        connector,
        ("nuget",),
        _canonicalise,
        _parse,
        advisories=False,
        publication=False,
        marker_in_text=False,
        fixed_digest=True,
    )
    claim(upstream, "a.b/one", "nuget", "Package", "1.0.0")
    with LoopbackServer(lambda _: Reply(200, b"1.0.0 1.1.0"), clock=clock) as server:
        origins = {"nuget": {"url": server.url}}
        home = tmp_path / "home"
        make_deployment(home, upstream, clock).pull()
        # An ecosystem that nobody registered has nothing due.
        assert make_deployment(home, upstream, clock).profile().due == 0
        monkeypatch.setitem(ecosystems.ECOSYSTEMS, "nuget", ecosystem)
        deployment = make_deployment(home, upstream, clock, origins=origins)
        assert deployment.profile().outcomes == {"ok": 1}
    row = facts(deployment)["a.b/one"]
    assert (row["availability"], row["latest_version"]) == ("available", "1.1.0")
    assert row["observed_at"] >= START
