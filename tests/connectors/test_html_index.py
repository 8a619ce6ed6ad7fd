"""Python mirrors that answer an index in HTML (Nexus, GitLab)."""

import time

import pytest

from connectors.registries.lookup import Outcome, PackageRequest
from enrich.ecosystems import ECOSYSTEMS
from enrich.profiles import Profile
from pipelines.demo.loopback import Reply, Request
from tests.connectors.test_packages import ask
from tests.support.shared import require

HTML = {"Content-Type": "text/html"}


def profile(page: bytes, project: str, *versions: str) -> Profile:
    def answer(request: Request) -> Reply:
        if request.target.endswith(f"/simple/{project}/"):
            return Reply(200, page, HTML)
        return Reply(404, b"{}")

    response, _ = ask(answer, PackageRequest("pypi", project, versions))
    assert response.outcome == Outcome.OK, response.detail
    parsed = ECOSYSTEMS["pypi"].parse(response, versions)
    assert parsed is not None
    return parsed


def test_an_index_in_html_is_read() -> None:
    page = require("cases/11-pypi-html-index/index.html").read_bytes()
    (version,) = profile(page, "p02-html", "1.0.0").versions
    assert (version.version, version.outcome) == ("1.0.0", Outcome.OK)


def test_yanks_hashes_and_several_versions_are_read() -> None:
    page = b"""<!DOCTYPE html><html><head><title>Links for p</title></head><body>
      <a href="../../packages/p-1.0.tar.gz#sha256=%b" data-requires-python="&gt;=3.9">p</a>
      <a href="../../packages/p-2.0-py3-none-any.whl#md5=1" data-yanked="broken &amp; bad">x</a>
      <a href="https://elsewhere.example/">home</a>
      <a>no target</a></body></html>""" % (b"ab" * 32)
    versions = {
        version.version: version for version in profile(page, "p", "1.0", "2.0", "3").versions
    }
    assert versions["1.0"].outcome == Outcome.OK
    assert not versions["1.0"].yanked
    assert (versions["2.0"].yanked, versions["2.0"].yanked_reason) == (True, "broken & bad")
    assert versions["3"].outcome == Outcome.VERSION_ABSENT


def test_a_page_of_a_portal_proves_no_absence() -> None:
    page = b'<html><a href="/login">Log in</a><a href="/corp_cli-3.2.0-py3-none-any.whl">ours</a>'
    response, _ = ask(lambda _: Reply(200, page, HTML), PackageRequest("pypi", "p", ("1.0",)))
    assert response.outcome == Outcome.MALFORMED
    assert "HTML without a file of p; is it a login page" in response.detail


@pytest.mark.parametrize(
    "page",
    [
        b"<html><![foo bar]></html>",
        b"<a a='" * 200_000,
        b"<a " * 400_000,
        b'<a href="/' + b"-" * 1_000_000 + b'.x">',
        b'<a href="' + b"a=" * 400_000,
        b"\xef\xbb\xbf<html></html>",
    ],
)
def test_hostile_pages_take_no_time_and_stop_nothing(page: bytes) -> None:
    def cost(body: bytes) -> float:
        begun = time.process_time()
        response, _ = ask(lambda _: Reply(200, body, HTML), PackageRequest("pypi", "p", ("1.0",)))
        assert response.outcome == Outcome.MALFORMED
        return time.process_time() - begun

    # Measured: 3 times plain text of that size; the square of these sizes would be 100,000 times.
    assert min(cost(page), cost(page)) < 100 * cost(b"<" + b"x" * len(page))
