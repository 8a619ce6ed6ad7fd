"""Fixtures of pulling: a registry that promises nothing beyond the OpenAPI document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer
from pipelines.line import Line
from tests.line.pulling.loose import LooseRegistry
from tests.support.deployments import Upstream, make_deployment


@pytest.fixture
def loose(clock: FakeClock) -> Iterator[LooseRegistry]:
    registry = LooseRegistry()
    with LoopbackServer(registry.answer, clock=clock) as server:
        registry.url = server.url
        yield registry


@pytest.fixture
def with_loose(tmp_path: Path, upstream: Upstream, clock: FakeClock, loose: LooseRegistry) -> Line:
    sources = {"loose": loose.url}
    return make_deployment(tmp_path / "home", upstream, clock, upstreams=sources, overlap=900)
