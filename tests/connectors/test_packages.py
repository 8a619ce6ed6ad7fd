"""Package registries that lie, refuse or point elsewhere."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest

from connectors.errors import ConnectorError
from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.http.pacing import AdaptiveLimiter, HostState, RateLimits
from connectors.origins import Origin, Origins, OriginSettings, default_url
from connectors.registries import oci
from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import KnownVersion, Outcome, PackageRequest, PackageResponse
from enrich.ecosystems import ECOSYSTEMS
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from tests.support.deployments import START

CONNECTORS = {kind: ecosystem.connector for kind, ecosystem in ECOSYSTEMS.items()}


def origins_of(urls: dict[str, str]) -> Origins:
    return Origins(
        {kind: connector.origin for kind, connector in CONNECTORS.items()},
        {name: OriginSettings(url=url) for name, url in urls.items()},
    )


def client(_: Origin, state: HostState) -> tuple[HttpClient, AdaptiveLimiter]:
    limiter = AdaptiveLimiter(RateLimits(rate=0), state=state, now=FakeClock(START))
    policy = AddressPolicy(loopback_only=True)
    request_policy = RequestPolicy(tries=1, timeout=5, deadline=5)
    http = HttpClient(policy, "test", request_policy, sleep=lambda _: None, pacer=limiter)
    return http, limiter


def ask(
    answer: Callable[[Request], Reply], target: PackageRequest, **more: str
) -> tuple[PackageResponse, list[str]]:
    """Fetch a target from a server; return the response and the requests that the server saw."""
    seen: list[str] = []

    def log(request: Request) -> Reply:
        seen.append(f"{request.method} {request.target}")
        return answer(request)

    with LoopbackServer(log, clock=FakeClock(START)) as server:
        places = {"npm": "npm", "pypi": "pypi", "oci:ghcr.io": "oci/ghcr.io"}
        registries = PackageRegistries(
            origins_of({name: f"{server.url}/{path}" for name, path in places.items()}),
            CONNECTORS,
            client,
        )
        with closing(registries):
            response = registries.fetch(target)
            assert response is not None
            return response, seen


IMAGE = PackageRequest("oci:ghcr.io", "o/r", ("1.0.0",))


@pytest.fixture
def stand_ins() -> PackageStandIns:
    stand_ins = PackageStandIns()
    stand_ins.put("ghcr.io", SamplePackage("o/r", [Release("1.0.0", START, "a.b/c")]))
    stand_ins.put("npm", SamplePackage("@s/p", [Release("1.0.0", START, "a.b/c")]))
    stand_ins.put("pypi", SamplePackage("p", [Release("1.0.0", START, "a.b/c")]))
    return stand_ins


def test_the_token_flow_is_followed_and_a_known_digest_costs_one_head(
    stand_ins: PackageStandIns,
) -> None:
    first, seen = ask(stand_ins.answer, IMAGE)
    kinds = [document.kind for document in first.documents]
    assert kinds == ["manifest", "config", "referrers"]
    assert [line.split("?")[0].rpartition("/")[0] for line in seen] == [
        "HEAD /oci/ghcr.io/v2/o/r/manifests",
        "GET /oci/ghcr.io",
        "HEAD /oci/ghcr.io/v2/o/r/manifests",
        "GET /oci/ghcr.io/v2/o/r/manifests",
        "GET /oci/ghcr.io/v2/o/r/blobs",
        "GET /oci/ghcr.io/v2/o/r/referrers",
        "HEAD /oci/ghcr.io/v2/o/r/manifests",
    ]
    digest = first.documents[0].digest
    known = PackageRequest("oci:ghcr.io", "o/r", ("1.0.0",), {"1.0.0": KnownVersion(digest)})
    again, seen = ask(stand_ins.answer, known)
    assert [document.kind for document in again.documents] == ["digest"]
    assert len(seen) == 3


def with_token(answer: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    def found(request: Request) -> Reply:
        if request.headers.get("authorization"):
            return answer(request)
        # The stand-in refuses the request or hands out a token.
        return PackageStandIns().answer(request)

    return found


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(404, b"{}"), Outcome.OK),
        (Reply(401, b"{}"), Outcome.ABSENT_OR_PRIVATE),
        (Reply(403, b"{}"), Outcome.ABSENT_OR_PRIVATE),
        (Reply(200, b"{}", {"Docker-Content-Digest": "sha256:" + "0" * 64}), Outcome.MALFORMED),
        (Reply(200, b'{"manifests":7}'), Outcome.OK),
        (Reply(200, b"{}"), Outcome.MALFORMED),
        (Reply(200, b'{"manifests":[{"platform":"linux"}],"config":["x"]}'), Outcome.OK),
        (Reply(200, b"[" * 100_000), Outcome.MALFORMED),
        (Reply(500, b"{}"), Outcome.UPSTREAM_ERROR),
    ],
)
def test_whatever_an_image_registry_answers_has_an_outcome(reply: Reply, outcome: Outcome) -> None:
    response, _ = ask(with_token(lambda _: reply), IMAGE)
    assert response.outcome == outcome
    if reply.status == 404:
        assert response.versions == {"1.0.0": Outcome.VERSION_ABSENT}


@pytest.mark.parametrize("status", [404, 405, 501])
def test_what_head_denies_is_asked_by_get(stand_ins: PackageStandIns, status: int) -> None:
    def answer(request: Request) -> Reply:
        if request.method == "HEAD" and request.headers.get("authorization"):
            return Reply(status)
        return stand_ins.answer(request)

    response, _ = ask(answer, IMAGE)
    assert response.outcome == Outcome.OK
    assert [document.kind for document in response.documents] == ["manifest", "config", "referrers"]
    assert response.versions == {"1.0.0": Outcome.OK}


def test_a_quota_that_is_spent_leaves_the_other_tags(stand_ins: PackageStandIns) -> None:
    def answer(request: Request) -> Reply:
        reply = stand_ins.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, "RateLimit-Remaining": "3"})

    first, _ = ask(stand_ins.answer, IMAGE)
    known = {"1.0.0": KnownVersion(first.documents[0].digest)}
    response, _ = ask(answer, PackageRequest("oci:ghcr.io", "o/r", ("gone", "1.0.0"), known))
    assert response.versions == {"gone": Outcome.VERSION_ABSENT, "1.0.0": Outcome.OK}


def test_a_signature_is_found_where_head_is_not_answered(stand_ins: PackageStandIns) -> None:
    def answer(request: Request) -> Reply:
        if "/referrers/" in request.target:
            return Reply(404)
        if "/manifests/sha256-" in request.target:
            index = b'{"manifests":[{"artifactType":"x"}]}'
            return Reply(405) if request.method == "HEAD" else Reply(200, index)
        return stand_ins.answer(request)

    response, _ = ask(answer, IMAGE)
    assert response.documents[-1].body == b'{"manifests":[{"artifactType":"x"}]}'


def test_a_realm_elsewhere_is_not_asked() -> None:
    challenge = 'Bearer realm="https://evil.example/token",service="x"'
    response, seen = ask(lambda _: Reply(401, b"", {"WWW-Authenticate": challenge}), IMAGE)
    assert response.outcome == Outcome.MALFORMED
    assert "evil.example: not allowed" in response.detail
    assert len(seen) == 1


def test_a_blob_redirect_elsewhere_is_not_followed(stand_ins: PackageStandIns) -> None:
    def answer(request: Request) -> Reply:
        if "/blobs/" in request.target:
            return Reply(307, b"", {"Location": "http://169.254.169.254/latest/meta-data"})
        return stand_ins.answer(request)

    response, _ = ask(answer, IMAGE)
    assert response.outcome == Outcome.MALFORMED
    assert "169.254.169.254: not allowed" in response.detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, Outcome.PACKAGE_ABSENT),
        (410, Outcome.GONE),
        (451, Outcome.BLOCKED_LEGAL),
        (401, Outcome.FORBIDDEN),
        (403, Outcome.FORBIDDEN),
        (429, Outcome.RATE_LIMITED),
        (503, Outcome.UPSTREAM_ERROR),
        (302, Outcome.MALFORMED),
        (400, Outcome.MALFORMED),
    ],
)
@pytest.mark.parametrize("origin", ["npm", "pypi"])
def test_a_status_has_an_outcome(origin: str, status: int, outcome: Outcome) -> None:
    response, _ = ask(lambda _: Reply(status, b"<html>"), PackageRequest(origin, "p", ("1.0.0",)))
    assert response.outcome == outcome


def test_a_packument_that_is_too_large_is_asked_for_in_parts(stand_ins: PackageStandIns) -> None:
    # One MiB more than a packument may have.
    huge = b" " * (17 * 1024 * 1024)

    def answer(request: Request) -> Reply:
        if request.target.endswith("/@s%2Fp") and request.headers["accept"] == "application/json":
            return Reply(200, huge)
        if request.target.endswith("/1.0.0"):
            return Reply(200, json.dumps({"mcpName": "a.b/c"}).encode())
        return stand_ins.answer(request) if request.target.endswith("p") else Reply(404)

    response, seen = ask(answer, PackageRequest("npm", "@s/p", ("1.0.0",)))
    assert [document.kind for document in response.documents] == ["abbreviated", "version"]
    assert len(seen) == 4


def test_an_older_copy_of_an_index_changes_nothing(stand_ins: PackageStandIns) -> None:
    def answer(request: Request) -> Reply:
        reply = stand_ins.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, "X-PyPI-Last-Serial": "7"})

    target = PackageRequest("pypi", "p", ("1.0.0",), serial=9)
    response, seen = ask(answer, target)
    assert (response.outcome, response.documents) == (Outcome.UPSTREAM_ERROR, ())
    assert len(seen) == 1


def test_an_unasked_for_304_and_a_serial_after_three_failures_are_no_answers() -> None:
    for origin in ("npm", "pypi"):
        response, _ = ask(lambda _: Reply(304), PackageRequest(origin, "p", ("1.0.0",)))
        assert response.outcome == Outcome.MALFORMED


def test_trouble_with_one_tag_costs_that_tag(stand_ins: PackageStandIns) -> None:
    def answer(request: Request) -> Reply:
        if request.target.endswith("/bad"):
            return Reply(200, b"{}", {"Docker-Content-Digest": "sha256:" + "0" * 64})
        return stand_ins.answer(request)

    response, _ = ask(with_token(answer), PackageRequest("oci:ghcr.io", "o/r", ("bad", "1.0.0")))
    assert (response.outcome, response.versions, response.deferred) == (
        Outcome.OK,
        {"1.0.0": "ok"},
        1,
    )
    assert "after HEAD had found it" in response.detail


def test_a_quota_ends_a_fetch_and_keeps_what_was_read(stand_ins: PackageStandIns) -> None:
    left = 12

    def answer(request: Request) -> Reply:
        nonlocal left
        reply = stand_ins.answer(request)
        # A GET of a manifest is one pull of the quota.
        left -= request.method == "GET" and "/manifests/" in request.target
        headers = dict(reply.headers) | {"RateLimit-Remaining": f"{left};w=21600"}
        return Reply(reply.status, reply.body, headers)

    days = [Release(f"1.0.{number}", START + timedelta(days=number)) for number in range(5)]
    stand_ins.put("ghcr.io", SamplePackage("o/r", days))
    target = PackageRequest("oci:ghcr.io", "o/r", tuple(release.version for release in days))
    response, _ = ask(answer, target)
    assert (response.outcome, len(response.versions), response.deferred) == (Outcome.OK, 2, 3)
    assert left == 10


@pytest.mark.parametrize("header", [{}, {"Docker-Content-Digest": "sha256:" + "1" * 64}])
def test_a_pinned_digest_is_what_counts(header: dict[str, str]) -> None:
    pinned = PackageRequest("oci:ghcr.io", "o/r", ("sha256:" + "0" * 64,))
    response, _ = ask(with_token(lambda _: Reply(200, b'{"config":{}}', header)), pinned)
    assert response.outcome == Outcome.MALFORMED


@pytest.mark.parametrize(
    "realm", ["http://127.0.0.1:9/token", "http://u:p@127.0.0.1/token", "https://127.0.0.1:22/x"]
)
def test_a_mirror_may_not_point_to_another_port_or_name_a_user(realm: str) -> None:
    challenge = f'Bearer realm="{realm}",service="x"'
    response, seen = ask(lambda _: Reply(401, b"", {"WWW-Authenticate": challenge}), IMAGE)
    assert (response.outcome, len(seen)) == (Outcome.MALFORMED, 1)


def test_refused_credentials_are_no_absence() -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    response, _ = ask(lambda _: Reply(401, b"", challenge), IMAGE)
    assert response.outcome == Outcome.FORBIDDEN


def test_only_what_the_table_names_is_asked() -> None:
    origins = origins_of({})
    for origin in ("oci:evil.example", "oci:evilpkg.dev", "cargo", "http://x", ""):
        assert origins.find(origin) is None
    assert origins.find("oci:eu.pkg.dev") is not None
    assert default_url("npm").startswith("https://")
    with pytest.raises(ConnectorError, match="kind is one of npm, oci, pypi"):
        origins_of({"cargo": "https://mirror.example"})
    with pytest.raises(ConnectorError, match="needs a url"):
        Origins({"oci": oci.CONNECTOR.origin}, {"oci:in.house": OriginSettings()})
