"""The plan of profiling: which packages a run requests, when, and what a killed run repeats."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from connectors.origins import OriginSettings
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import Release, SamplePackage
from pipelines.errors import Busy
from pipelines.line import Line
from pipelines.report.doctor import MAX_REQUESTS
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, make_deployment, server_json
from warehouse.database.session import Row
from warehouse.packages.hosts import count_due

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def many(upstream: Upstream, count: int, namespace: str = "n{}.example") -> None:
    """Publish `count` servers, each with its own npm package."""
    for number in range(count):
        name = f"package-{number:05}"
        server = f"{namespace.format(number)}/server-{number:05}"
        claim(upstream, server, "npm", name, "1.0.0")
        release = Release("1.0.0", START - 200 * DAY, server)
        upstream.packages.put("npm", SamplePackage(name, [release]))


def counting(deployment: Line, upstream: Upstream) -> tuple[LoopbackServer, Counter[str]]:
    """A server in front of the stand-ins that counts the requests per target."""
    seen: Counter[str] = Counter()

    def answer(request: Request) -> Reply:
        seen[request.target] += 1
        return upstream.packages.answer(request)

    return LoopbackServer(answer, clock=deployment.clock), seen


def hosts(deployment: Line) -> list[Row]:
    """What is due per package host now."""
    return count_due(deployment.warehouse, now=deployment.clock())


def test_a_killed_run_repeats_at_most_one_batch(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 1100)
    deployment = make_deployment(tmp_path / "home", upstream, clock)
    deployment.pull()
    server, seen = counting(deployment, upstream)
    reached = threading.Event()

    with server:
        origins = {"npm": {"url": f"{server.url}/npm", "rate": 0, "slots": 4}}
        environment = {
            "PATH": os.environ["PATH"],
            "SUBREGISTRY_HOME": str(deployment.settings.home),
            "SUBREGISTRY_OFFLINE": "1",
            "SUBREGISTRY_ORIGINS": json.dumps(origins),
        }
        command = [sys.executable, "-m", "pipelines.cli", "profile", "--json"]
        for stop_at in (300, 700):
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            try:
                while sum(seen.values()) < stop_at and process.poll() is None:
                    reached.wait(0.005)
                assert process.poll() is None, "it was to be killed on its way"
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    (report,) = json.loads(done.stdout)
    assert len(seen) == 1100
    assert max(seen.values()) <= 3
    assert sum(seen.values()) - 1100 <= 2 * 200
    assert report["asked"] >= 1100 - 700
    with deployment.warehouse.session() as session:
        (row,) = session.text(
            "SELECT count(*) AS facts, count(DISTINCT package) AS packages FROM package_facts"
        ).to_pylist()
    assert row == {"facts": 1100, "packages": 1100}


def test_one_namespace_does_not_use_up_the_day(deployment: Line, upstream: Upstream) -> None:
    many(upstream, 620, namespace="flood.example")
    claim(upstream, "z.example/one", "npm", "one", "1.0.0")
    upstream.packages.put("npm", SamplePackage("one", [Release("1.0.0", START)]))
    deployment.pull()
    assert deployment.profile().asked == 501
    assert deployment.profile().asked == 0
    clock = deployment.clock
    assert isinstance(clock, FakeClock)
    clock.move_to(START + DAY + HOUR)
    assert deployment.profile().asked >= 120


def test_what_was_asked_for_at_one_instant_is_spread_over_the_week(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 300)
    deployment.pull()
    deployment.profile()
    asked = []
    for day in range(1, 17):
        clock.move_to(START + day * DAY)
        asked.append(deployment.profile().due)
    assert sum(asked[:9]) >= 300
    assert max(asked) < 90, "no day has a spike"
    assert 550 <= sum(asked) <= 720, "each about once a week"


def test_a_young_release_and_an_alarm_are_looked_at_daily(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    for name, age in (("young", 1), ("old", 200), ("alarm", 200)):
        claim(upstream, f"a.b/{name}", "npm", name, "1.0.0")
        release = Release("1.0.0", START - age * DAY, f"a.b/{name}")
        upstream.packages.put("npm", SamplePackage(name, [release], owners=("ann",)))
    deployment.pull()
    deployment.profile()
    alarm = upstream.packages.find("npm", "alarm")
    assert alarm is not None
    upstream.packages.put("npm", replace(alarm, owners=("eve",)))
    deployment.profile(only=("npm", "alarm"))
    server, seen = counting(deployment, upstream)
    with server:
        origins = {"npm": OriginSettings(url=f"{server.url}/npm", rate=0)}
        settings = deployment.settings.model_copy(update={"origins": origins})
        counted = Line(settings, clock=clock, sleep=lambda _: None)
        for hour in range(1, 6 * 24):
            clock.move_to(START + hour * HOUR)
            counted.profile()
    asked = {target.rpartition("/")[2]: count for target, count in seen.items()}
    assert 4 <= asked["young"] <= 7
    assert 4 <= asked["alarm"] <= 7
    assert asked.get("old", 0) <= 1


def test_two_runs_at_once_are_one(deployment: Line, upstream: Upstream) -> None:
    many(upstream, 3)
    deployment.pull()
    caught: list[Exception] = []

    def answer(request: Request) -> Reply:
        try:
            Line(deployment.settings, clock=deployment.clock).profile()
        except Busy as error:
            caught.append(error)
        return upstream.packages.answer(request)

    with LoopbackServer(answer, clock=deployment.clock) as server:
        origins = {"npm": OriginSettings(url=f"{server.url}/npm", rate=0)}
        settings = deployment.settings.model_copy(update={"origins": origins})
        assert Line(settings, clock=deployment.clock).profile().asked == 3
    assert len(caught) == 3
    assert "another profile run" in str(caught[0])


def test_status_tells_what_is_due_done_and_failing_per_host(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    many(upstream, 8)
    claim(upstream, "a.b/three", "oci", "ghcr.io/s/three:1.0.0")
    upstream.packages.put("ghcr.io", SamplePackage("s/three", [Release("1.0.0", START)]))
    deployment.pull()
    (unread,) = hosts(deployment)
    assert (unread["origin"], unread["due"], unread["done"]) == ("unread", 9, 0)
    with LoopbackServer(lambda _: Reply(500, b"oops"), clock=clock) as broken:
        npm_only = {"npm": OriginSettings(url=broken.url, slots=1)}
        origins = deployment.settings.origins | npm_only
        settings = deployment.settings.model_copy(update={"origins": origins})
        report = Line(settings, clock=clock, sleep=lambda _: None).profile()
    assert (report.asked, report.skipped) == (2, 7)
    assert "answered 500" in report.closed["npm"]
    npm, ghcr = hosts(deployment)
    assert (npm["failing"], npm["stale"], npm["done"], npm["due"]) == (1, 1, 1, 7)
    assert (npm["requests"], npm["load_factor"]) == (5, 1.0)
    assert npm["closed_until"] - START >= timedelta(minutes=30)
    assert "answered 500" in npm["reason"]
    assert (ghcr["due"], ghcr["done"], ghcr["closed_until"]) == (0, 1, None)
    reported = [row for row in deployment.status().packages if "off" not in row]
    assert reported == msgspec.to_builtins([npm, ghcr])  # as the run left it
    assert deployment.profile().due == 0, "the next run leaves it alone too"
    clock.move_to(START + timedelta(minutes=31))
    assert deployment.profile().asked == 7
    assert deployment.status().packages[0]["closed_until"] is None


def test_a_new_kind_or_host_reaches_entries_that_are_there(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    claim(upstream, "a.b/three", "oci", "images.example/s/three:1.0.0")
    upstream.packages.put("images.example", SamplePackage("s/three", [Release("1.0.0", START)]))
    before = make_deployment(tmp_path / "home", upstream, clock)
    before.pull()
    assert (before.profile().due, before.profile().rejected_refs) == (0, 0)
    origin = {"oci:images.example": {"url": f"{upstream.packages_url}/oci/images.example"}}
    after = make_deployment(tmp_path / "home", upstream, clock, origins=origin)
    assert after.profile().outcomes == {"ok": 1}


def test_doctor_tells_in_ten_requests_what_answers_and_what_is_stripped(
    deployment: Line, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.registry.publish(server_json("a.b/one"), START)
    sdk = SamplePackage("@modelcontextprotocol/sdk", [Release("1.0.0", START)], owners=("ann",))
    upstream.packages.put("npm", sdk)
    upstream.packages.put("pypi", SamplePackage("mcp", [Release("1.0.0", START)]))
    server, seen = counting(deployment, upstream)
    with server:
        origins = {
            "npm": OriginSettings(url=f"{server.url}/npm"),
            "pypi": OriginSettings(url=f"{server.url}/pypi"),
            "oci:docker.io": OriginSettings(url=f"{server.url}/oci/docker.io"),
            "oci:ghcr.io": OriginSettings(url=f"{server.url}/oci/ghcr.io"),
            "oci:quay.io": OriginSettings(url="http://127.0.0.1:9/nothing-here"),
        }
        settings = deployment.settings.model_copy(update={"origins": origins})
        findings = Line(settings, clock=clock, sleep=lambda _: None).doctor()
    assert sum(seen.values()) + len(upstream.targets) <= MAX_REQUESTS
    by_source = {finding.source: finding for finding in findings}
    assert by_source["upstream:official"].state == "works"
    assert by_source["npm"].state == "partial"
    assert by_source["npm"].stripped == ("gzip", "dist.attestations")
    assert "serial" not in by_source["pypi"].stripped
    assert by_source["oci:docker.io"].message == "answers, gives a token"
    assert by_source["oci:ghcr.io"].requests == 2
    assert by_source["oci:quay.io"].state in ("fails", "not asked")
    assert by_source["npm-downloads"].state == "off"


def test_doctor_says_what_fails_and_why(deployment: Line, upstream: Upstream) -> None:
    with LoopbackServer(lambda _: Reply(403, b"<html>"), clock=deployment.clock) as server:
        origins = {"npm": OriginSettings(url=server.url, token="t0ken")}
        settings = deployment.settings.model_copy(update={"origins": origins})
        broken = Line(settings, clock=deployment.clock, sleep=lambda _: None)
        (finding,) = broken.doctor(only="npm")
        (usual,) = broken.doctor(only="oci:mcr.microsoft.com")
    assert (finding.state, finding.requests) == ("fails", 1)
    assert "answered 403" in finding.message
    assert (usual.state, usual.requests) == ("fails", 1)
    assert "SUBREGISTRY_OFFLINE" in usual.message
    with pytest.raises(Exception, match="there is no source cargo"):
        broken.doctor(only="cargo")
