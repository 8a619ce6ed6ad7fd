"""A home that is set in the environment, where the command line reads it."""

from pathlib import Path

import pytest

from pipelines.cli.parser import main
from tests.support.deployments import START, Upstream, server_json, two_feeds

WITHOUT_C = """
name = "mirror"
title = "Mirror"
base_path = "/feeds/mirror"
default = "admit"

[[rules]]
name = "no-c"
verdict = "exclude"
when = "starts_with(name, 'c.d/')"
reason = "we run no such servers"
"""
"""A document of the feed `mirror` whose gate refuses it: 60 of its 63 servers would go."""


@pytest.fixture
def home(tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, set in the environment, whose upstream has three servers."""
    for name in ("a.b/one", "a.b/two", "a.b/three"):
        upstream.registry.publish(server_json(name), START)
    settings = {
        "HOME": str(tmp_path / "home"),
        "UPSTREAM_URL": upstream.url,
        "UPSTREAM_RATE": "0",
        "PACKAGE_RATE": "0",
        "ORIGINS__NPM__URL": f"{upstream.packages_url}/npm",
        "WAREHOUSE_WAIT": "0",
        "FEEDS": str(two_feeds(tmp_path / "two-feeds")),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"SUBREGISTRY_{name}", value)
    return tmp_path / "home"


@pytest.fixture
def running(home: Path, upstream: Upstream) -> Path:
    """A home whose two feeds are live, with 60 more servers."""
    for number in range(60):
        upstream.registry.publish(server_json(f"c.d/s{number:02}", title=f"T{number}"), START)
    assert main(["run"]) == 0
    return home


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; a traceback or a second line fails."""
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    return captured.err
