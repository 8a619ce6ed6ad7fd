"""Downloads: requested weekly, only from services that the operator names, only for ranks."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.registries.lookup import Document, Outcome, PackageResponse
from enrich.downloads import read_count
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import Release, SamplePackage
from tests.line.profiling.test_plan import many
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, make_deployment

DAY = timedelta(days=1)


def counted(request: Request, seen: Counter[str]) -> Reply:
    seen[request.target.split("?")[0]] += 1
    name = request.target.rstrip("/").rpartition("/")[2]
    if request.target.startswith("/downloads/"):
        digits = name.rpartition("-")[2]
        number = int(digits) if digits.isdigit() else 7
        return Reply(200, json.dumps({"downloads": number * 10, "package": name}).encode())
    if request.target.startswith("/api/"):
        return Reply(200, b'{"data":{"last_day":1,"last_week":77,"last_month":99}}')
    return Reply(404)


def test_nobody_is_asked_who_was_not_named(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    seen: Counter[str] = Counter()
    many(upstream, 20)
    claim(upstream, "a.b/scoped", "npm", "@s/one", "1.0.0")
    claim(upstream, "a.b/two", "pypi", "two", "1.0.0")
    old = Release("1.0.0", START - 200 * DAY)
    upstream.packages.put("npm", SamplePackage("@s/one", [old]))
    upstream.packages.put("pypi", SamplePackage("two", [old]))
    silent = make_deployment(tmp_path / "home", upstream, clock)
    silent.pull()
    assert silent.profile().counts == 0
    with LoopbackServer(lambda request: counted(request, seen), clock=clock) as server:
        origins = dict(silent.settings.origins)
        named = {name: origin.model_dump() for name, origin in origins.items()}
        named |= {name: {"url": server.url} for name in ("npm-downloads", "pypistats")}
        deployment = make_deployment(tmp_path / "home", upstream, clock, origins=named)
        assert deployment.profile().counts == 22
        assert deployment.profile().counts == 0
        assert "/downloads/point/last-week/@s%2Fone" in seen
        assert "/api/packages/two/recent" in seen
        with deployment.warehouse.session() as session:
            rows = session.text("SELECT name, downloads FROM package_columns_now").to_pylist()
        downloads = {row["name"]: row["downloads"] for row in rows}
        assert (downloads["a.b/two"], downloads["a.b/scoped"]) == (77, 70)
        asked = []
        for day in range(1, 7):
            clock.move_to(START + day * timedelta(hours=25))
            asked.append(deployment.profile(budget=1000).due)
        assert all(count >= 2 for count in asked), "the most popular tenth is looked at daily"
        clock.move_to(START + 8 * DAY)
        assert deployment.profile().counts == 22
    assert set(seen.values()) == {2}


def test_a_counter_that_fails_fails_nothing_else(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 3)
    with LoopbackServer(lambda _: Reply(429, b"error 1015"), clock=clock) as server:
        first = make_deployment(tmp_path / "home", upstream, clock)
        named = {name: origin.model_dump() for name, origin in first.settings.origins.items()}
        named |= {"npm-downloads": {"url": server.url}}
        deployment = make_deployment(tmp_path / "home", upstream, clock, origins=named)
        deployment.pull()
        report = deployment.profile()
    assert (report.outcomes, report.counts) == ({"ok": 3}, 0)
    assert "npm-downloads" in report.closed


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"downloads":-1}', b'{"downloads":true}', b'{"downloads":"7"}', b"{}"]
)
@pytest.mark.parametrize("source", ["npm-downloads", "pypistats", "docker-hub"])
def test_what_is_no_count_is_none(source: str, body: bytes) -> None:
    fetched = PackageResponse(Outcome.OK, "", (Document("downloads", body),))
    assert read_count(source, fetched) is None
