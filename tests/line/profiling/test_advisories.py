"""Advisories: which package versions they name, how severe they are, and what a feed does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.registries.lookup import Document, Outcome, PackageResponse
from enrich.advisories import read_advisory, read_batch
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import Release, SamplePackage
from pipelines.line import Line
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream
from tests.support.feeds import served
from tests.support.policies import make_team, published, verdicts

DAY = timedelta(days=1)
RULES = """
[[rules]]
name = "malware"
verdict = "exclude"
when = "is_malicious"
unknown = "skip"
reason = "malware"

[[rules]]
name = "critical"
verdict = "exclude"
when = "list_contains(severities, 'CRITICAL')"
unknown = "skip"
reason = "vulnerable"
"""
V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
CRITICAL = {"type": "CVSS_V3", "score": V3}
Json = dict[str, Any]  # JSON of the service


@dataclass
class Service:
    """A stand-in for OSV's API: advisories by id, and the ids of those that name a purl."""

    advisories: dict[str, Json] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)
    page: int = 1000
    targets: list[str] = field(default_factory=list)
    fault: Reply | None = None
    refused: str = ""

    def put(self, purl: str, key: str, **members: Any) -> None:
        known = {"id": key, "modified": "2026-01-01T00:00:00Z", "summary": f"about {key}"}
        self.advisories[key] = known | members
        self.named.setdefault(purl, []).append(key)

    def answer(self, request: Request) -> Reply:
        self.targets.append(request.target)
        if self.fault:
            return self.fault
        if request.target.startswith("/v1/vulns/"):
            advisory = self.advisories.get(request.target.rpartition("/")[2])
            return Reply(200 if advisory else 404, json.dumps(advisory or {}).encode())
        results = []
        if self.refused and self.refused.encode() in request.body:
            return Reply(400, b'{"code": 3, "message": "Invalid query."}')
        for query in json.loads(request.body)["queries"]:
            keys = self.named.get(query["package"]["purl"], [])
            start = int(query.get("page_token", "0"))
            shown = keys[start : start + self.page]
            result: Json = {}
            if shown:
                named = [{"id": key, "modified": self.advisories[key]["modified"]} for key in shown]
                result["vulns"] = named
            if start + self.page < len(keys):
                result["next_page_token"] = str(start + self.page)
            results.append(result)
        return Reply(200, json.dumps({"results": results}).encode())


@contextmanager
def advised(tmp_path: Path, upstream: Upstream, clock: FakeClock) -> Iterator[tuple[Line, Service]]:
    """Five npm packages, and a feed that excludes malware and critical vulnerabilities."""
    for name in ("clean", "bad", "critical", "low", "gone"):
        claim(upstream, f"a.b/{name}", "npm", name, "1.0.0")
        release = Release("1.0.0", START - 90 * DAY, f"a.b/{name}")
        upstream.packages.put("npm", SamplePackage(name, [release]))
    service = Service()
    with LoopbackServer(service.answer, clock=clock) as server:
        origins = {
            "npm": {"url": f"{upstream.packages_url}/npm"},
            "osv": {"url": server.url},
        }
        yield make_team(tmp_path, upstream, clock, RULES, origins=origins), service


def test_malware_and_critical_vulnerabilities_are_known_and_served(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.put("pkg:npm/bad@1.0.0", "MAL-2026-1")
        service.put(
            "pkg:npm/critical@1.0.0",
            "GHSA-aaaa",
            database_specific={"severity": "CRITICAL"},
            aliases=["CVE-2026-1"],
        )
        service.put("pkg:npm/low@1.0.0", "GHSA-bbbb", database_specific={"severity": "MODERATE"})
        service.put("pkg:npm/low@1.0.0", "GHSA-cccc", severity=[{"type": "CVSS_V3", "score": "?"}])
        service.put("pkg:npm/gone@1.0.0", "GHSA-dddd", withdrawn="2026-01-02T00:00:00Z")
        deployment.pull()
        published(deployment)
        with deployment.warehouse.session() as session:
            rows = session.text("SELECT is_malicious FROM policy_columns(now())").to_pylist()
        assert {row["is_malicious"] for row in rows} == {None}  # no request was sent yet
        assert deployment.profile().checked == 5
        published(deployment)
        assert verdicts(deployment) == {
            "a.b/bad@1.0.0": ("exclude", "malware"),
            "a.b/clean@1.0.0": ("admit", "default"),
            "a.b/critical@1.0.0": ("exclude", "critical"),
            "a.b/gone@1.0.0": ("admit", "default"),
            "a.b/low@1.0.0": ("admit", "default"),
        }
        with served(deployment.settings.feed_root, ("team", "/")) as client:
            package = client.json("/explain/a.b%2Flow")["versions"][0]["packages"][0]
            assert package["advisories"] == ["GHSA-bbbb", "GHSA-cccc"]
            assert package["severities"] == ["MEDIUM", "UNKNOWN"]
            clean = client.json("/explain/a.b%2Fclean")["versions"][0]["packages"][0]
            assert clean["advisories"] == []


def test_each_version_is_asked_for_once_a_day_and_each_advisory_once_per_change(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.page = 1
        for key in ("GHSA-aaaa", "GHSA-bbbb", "GHSA-cccc"):
            service.put("pkg:npm/low@1.0.0", key, database_specific={"severity": "LOW"})
        deployment.pull()
        assert deployment.profile().checked == 5
        batches = [target for target in service.targets if target == "/v1/querybatch"]
        assert (len(batches), len(service.targets)) == (3, 6)
        assert deployment.profile().checked == 0
        clock.move_to(clock() + DAY + timedelta(minutes=1))
        service.targets.clear()
        service.advisories["GHSA-bbbb"] |= {
            "modified": "2026-02-01T00:00:00Z",
            "database_specific": {"severity": "CRITICAL"},
        }
        assert deployment.profile().checked == 5
        assert [target for target in service.targets if "vulns" in target] == [
            "/v1/vulns/GHSA-bbbb"
        ]
        published(deployment)
        assert verdicts(deployment)["a.b/low@1.0.0"] == ("exclude", "critical")
        with deployment.warehouse.session() as session:
            assert session.text("FROM advisories").num_rows == 4
            assert session.text("FROM purl_advisories").num_rows == 5


@pytest.mark.parametrize(
    "fault",
    [
        Reply(500, b"{}"),
        Reply(429, b"{}"),
        Reply(200, b"{}"),
        Reply(200, b"nonsense"),
        Reply(200, b'{"results": []}'),
        Reply(200, b'{"results": [{}, {}, {}, {}, 7, {}]}'),
    ],
)
def test_trouble_changes_nothing_that_is_known(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, fault: Reply
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.put("pkg:npm/bad@1.0.0", "MAL-2026-1")
        deployment.pull()
        deployment.profile()
        clock.move_to(clock() + 2 * DAY)
        service.fault = fault
        assert deployment.profile().checked == 0
        published(deployment)
        assert verdicts(deployment)["a.b/bad@1.0.0"] == ("exclude", "malware")


def test_an_offline_deployment_asks_nobody_who_was_not_named(
    deployment: Line, upstream: Upstream
) -> None:
    claim(upstream, "a.b/one", "npm", "one", "1.0.0")
    upstream.packages.put("npm", SamplePackage("one", [Release("1.0.0", START, "a.b/one")]))
    deployment.pull()
    assert deployment.profile().checked == 0
    with deployment.warehouse.session() as session:
        assert {row["origin"] for row in session.rows("packages/list_hosts")} == {"npm"}


@pytest.mark.parametrize(
    ("members", "severity"),
    [
        ({"database_specific": {"severity": "moderate"}}, "MEDIUM"),
        (
            {"database_specific": {"severity": 7}, "severity": [{"type": "CVSS_V3", "score": V3}]},
            "CRITICAL",
        ),
        ({"severity": [{"type": "CVSS_V3", "score": V3[:-10]}]}, None),
        ({"severity": [{"type": "CVSS_V9", "score": V3}, 7, None]}, None),
        (
            {"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}]},
            "HIGH",
        ),
        ({"severity": "high"}, None),
        ({"database_specific": []}, None),
    ],
)
def test_severities_are_read_or_left_out(members: Json, severity: str | None) -> None:
    body = json.dumps({"id": "X-1", **members}).encode()
    advisory = read_advisory(PackageResponse(Outcome.OK, "", (Document("advisory", body),)))
    assert advisory is not None
    assert advisory.severity == severity


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 7}', b'{"id": ""}', b"\xff", b'{"results": 7}']
)
def test_what_is_no_advisory_tells_nothing(body: bytes) -> None:
    fetched = PackageResponse(Outcome.OK, "", (Document("batch", body, "pkg:npm/x@1"),))
    assert read_advisory(fetched) is None
    assert read_batch(fetched) == {}


def test_one_advisory_that_cannot_be_read_stops_no_other(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.put("pkg:npm/bad@1.0.0", "MAL-2026-1")
        service.put("pkg:npm/low@1.0.0", "GHSA-gone")
        service.put("pkg:npm/critical@1.0.0", "GHSA-aaaa", database_specific={"severity": "HIGH"})
        broken = service.advisories.pop("GHSA-gone")
        service.advisories["GHSA-gone"] = broken | {"id": "another"}
        deployment.pull()
        assert deployment.profile().checked == 5
        published(deployment)
        assert verdicts(deployment)["a.b/bad@1.0.0"] == ("exclude", "malware")
        with deployment.warehouse.session() as session:
            rows = session.text(
                "SELECT purl, severities FROM current_purl_advisories WHERE len(ids) > 0 ORDER BY 1"
            ).to_pylist()
        assert [row["severities"] for row in rows] == [["UNKNOWN"], ["HIGH"], ["UNKNOWN"]]


def test_one_version_that_is_refused_stops_no_other(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.put("pkg:npm/bad@1.0.0", "MAL-2026-1")
        service.refused = "pkg:npm/low@1.0.0"
        deployment.pull()
        assert deployment.profile().checked == 4
        published(deployment)
        assert verdicts(deployment)["a.b/bad@1.0.0"] == ("exclude", "malware")


def test_pages_without_end_are_given_up(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        results = [{"next_page_token": "again"}] * 5
        service.fault = Reply(200, json.dumps({"results": results}).encode())
        deployment.pull()
        assert deployment.profile().checked == 0
        assert len(service.targets) < 300


def test_an_advisory_that_goes_back_to_what_it_said_is_believed(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    with advised(tmp_path, upstream, clock) as (deployment, service):
        service.put("pkg:npm/low@1.0.0", "GHSA-aaaa", database_specific={"severity": "LOW"})
        first = dict(service.advisories["GHSA-aaaa"])
        deployment.pull()
        deployment.profile()
        later = {"modified": "2026-02-01T00:00:00Z", "database_specific": {"severity": "CRITICAL"}}
        for advisory, rule in ((first | later, "critical"), (first, "default")):
            clock.move_to(clock() + 2 * DAY)
            service.advisories["GHSA-aaaa"] = advisory
            deployment.profile()
            published(deployment)
            assert verdicts(deployment)["a.b/low@1.0.0"][1] == rule
