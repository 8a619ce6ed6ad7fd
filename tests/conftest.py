"""Fixtures for more than one room: a scripted registry over HTTP, a deployment, a clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.upstreams.registry import Registry
from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from tests.support.deployments import START, Upstream, make_deployment, upstream_server
from warehouse.database.warehouse import Warehouse


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBREGISTRY_OFFLINE", "1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def upstream(clock: FakeClock) -> Iterator[Upstream]:
    with upstream_server(clock) as upstream:
        yield upstream


@pytest.fixture
def http() -> Iterator[HttpClient]:
    request_policy = RequestPolicy(rate=0, tries=3, timeout=5, deadline=5)
    with HttpClient(
        AddressPolicy(loopback_only=True), "subregistry-test", request_policy, sleep=lambda _: None
    ) as client:
        yield client


@pytest.fixture
def registry(http: HttpClient, upstream: Upstream, clock: FakeClock) -> Registry:
    return Registry(http, upstream.url, now=clock)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", wait=0)


@pytest.fixture
def deployment(tmp_path: Path, upstream: Upstream, clock: FakeClock) -> Line:
    """A deployment in its own folder, against the scripted registries."""
    return make_deployment(tmp_path / "home", upstream, clock)
