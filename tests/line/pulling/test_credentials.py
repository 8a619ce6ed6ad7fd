"""An upstream that wants credentials: they reach it, and nothing else."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError
from pipelines.cli.parser import main
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.errors import UsageError
from pipelines.settings import load_settings
from tests.line.campaigns.states import states, truth
from tests.support.deployments import START, Upstream, make_deployment, server_json

SECRET = "s3cret-of-the-registry"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("members", "header"),
    [
        ({"token": SECRET}, f"Bearer {SECRET}"),
        ({"token_file": "FILE"}, f"Bearer {SECRET}"),
        ({"username": "me", "password": SECRET}, f"Basic {BASIC}"),
        ({"username": "me", "password_file": "FILE"}, f"Basic {BASIC}"),
    ],
)
def test_credentials_reach_the_upstream_and_are_kept_nowhere(
    tmp_path: Path,
    upstream: Upstream,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    members: dict[str, str],
    header: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    upstream.registry.publish(server_json("com.example/one"), START)
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    given = {name: str(file) if value == "FILE" else value for name, value in members.items()}

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != header:
            return Reply(401, b'{"error": "who are you?"}')
        return upstream.registry.answer(request)

    with LoopbackServer(answer, clock=clock) as server:
        home = tmp_path / "home"
        sources: dict[str, Any] = {"inhouse": {"url": server.url, **given}}
        deployment = make_deployment(home, upstream, clock, upstreams=sources)
        deployment.pull()
        assert states(deployment) == truth(upstream)
        monkeypatch.setenv("SUBREGISTRY_HOME", str(home))
        monkeypatch.setenv("SUBREGISTRY_UPSTREAMS", json.dumps(sources))
        main(["run"])
        main(["status", "--json"])
        main(["doctor", "--json"])
        main(["explain", "com.example/one"])
    shown = "".join(capsys.readouterr()) + caplog.text
    for word in (SECRET, BASIC):
        assert word not in shown
        for path in home.rglob("*"):
            assert not path.is_file() or word.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("upstreams", "message"),
    [
        ({"a": f"https://me:{SECRET}@registry.example"}, "holds no user name and no password"),
        ({"a": f"https://me:{SECRET}@registry.example/?x=1"}, "holds no user name"),
        ({"a": {"url": "http://registry.example", "token": SECRET}}, "plain http"),
        ({"a": {"url": "/srv/mcp", "token": SECRET}}, "a path takes no credentials"),
        ({"a": {"url": "https://x.example", "tokn": SECRET}}, "Extra inputs"),
        ({"a": {"url": "https://x.example", "token": SECRET, "password": "x"}}, "one of token"),
    ],
)
def test_what_would_leak_or_mean_nothing_is_refused(
    upstreams: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_settings(upstreams=upstreams)
    assert SECRET not in str(caught.value)


def test_credentials_in_the_one_url_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBREGISTRY_UPSTREAM_URL", f"https://me:{SECRET}@registry.example")
    with pytest.raises(UsageError, match="holds no user name and no password") as caught:
        load_settings()
    assert SECRET not in str(caught.value)


def test_a_secret_that_cannot_be_read_says_which_file(
    tmp_path: Path, upstream: Upstream, clock: FakeClock
) -> None:
    sources = {"inhouse": {"url": upstream.url, "token_file": str(tmp_path / "gone")}}
    deployment = make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
    with pytest.raises(ConnectorError, match=r"the secret in .*gone cannot be read"):
        deployment.pull()
