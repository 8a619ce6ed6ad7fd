"""Images in odd shapes: an old format, addresses that are none, blobs that are refused."""

import json

import pytest

from connectors.registries.lookup import Outcome, PackageRequest
from enrich.ecosystems import ECOSYSTEMS
from pipelines.demo.loopback import Reply, Request
from pipelines.demo.packages import PackageStandIns
from tests.connectors.test_packages import IMAGE, ask, stand_ins, with_token

__all__ = ["stand_ins"]


def test_a_manifest_of_the_first_format_has_a_state_of_its_own(stand_ins: PackageStandIns) -> None:
    old = json.dumps({"schemaVersion": 1, "name": "o/r", "tag": "old", "fsLayers": []}).encode()

    def answer(request: Request) -> Reply:
        if request.target.endswith(("/manifests/old", "0" * 64)):
            kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
            headers = {"Content-Type": kind, "Docker-Content-Digest": "sha256:" + "0" * 64}
            return Reply(200, old, headers)
        return stand_ins.answer(request)

    wanted = ("old", "1.0.0")
    response, _ = ask(with_token(answer), PackageRequest("oci:ghcr.io", "o/r", wanted))
    assert response.versions == {"old": Outcome.OLD_FORMAT, "1.0.0": Outcome.OK}
    profile = ECOSYSTEMS["oci"].parse(response, wanted)
    assert profile is not None
    assert [fact.outcome for fact in profile.versions] == [Outcome.OLD_FORMAT, Outcome.OK]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_blob_that_is_refused_is_called_so(stand_ins: PackageStandIns, status: int) -> None:
    def answer(request: Request) -> Reply:
        return Reply(status) if "/blobs/" in request.target else stand_ins.answer(request)

    response, _ = ask(with_token(answer), IMAGE)
    assert f"answered {status} for the config of an image" in response.detail


@pytest.mark.parametrize("place", ["https://[bad", "https://x:port/y"])
def test_a_redirect_to_no_url_costs_that_reference(stand_ins: PackageStandIns, place: str) -> None:
    def answer(request: Request) -> Reply:
        if "/blobs/" in request.target:
            return Reply(307, b"", {"Location": place})
        if request.target.endswith("/gone"):
            return Reply(404)
        return stand_ins.answer(request)

    target = PackageRequest("oci:ghcr.io", "o/r", ("1.0.0", "gone"))
    response, _ = ask(with_token(answer), target)
    assert (response.outcome, response.versions) == (Outcome.OK, {"gone": Outcome.VERSION_ABSENT})
    assert "which is no URL" in response.detail or "Invalid URL" in response.detail


def test_a_realm_that_is_no_url_is_malformed() -> None:
    challenge = 'Bearer realm="https://[bad/token",service="x"'
    response, _ = ask(lambda _: Reply(401, b"", {"WWW-Authenticate": challenge}), IMAGE)
    assert response.outcome == Outcome.MALFORMED
    assert "which is no URL" in response.detail
