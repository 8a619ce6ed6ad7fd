"""Fixtures of the line: an upstream with many servers, and one of in-house documents."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from tests.line.pulling.inhouse import HOUR, write
from tests.support.deployments import START, Upstream, make_deployment, server_json


@pytest.fixture
def full_of_servers(upstream: Upstream) -> Upstream:
    """Sixty servers with three versions each."""
    for number in range(60):
        for minor in range(3):
            at = START - timedelta(days=9) + number * HOUR + minor * timedelta(minutes=1)
            upstream.registry.publish(server_json(f"io.github.o/s{number:02d}", f"1.{minor}.0"), at)
    return upstream


@pytest.fixture
def inhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "inhouse"
    folder.mkdir()
    write(folder / "one.json", "com.example/one")
    return folder


@pytest.fixture
def with_inhouse(tmp_path: Path, upstream: Upstream, clock: FakeClock, inhouse: Path) -> Line:
    """In-house documents ahead of the public registry, which has a server of the same name."""
    upstream.registry.publish(server_json("com.example/one", "9.0.0", title="not ours"), START)
    upstream.registry.publish(server_json("io.github.o/public"), START)
    sources = {"inhouse": str(inhouse), "official": upstream.url}
    return make_deployment(tmp_path / "home", upstream, clock, upstreams=sources)
