"""An upstream that sends without end is stopped with a clear error, and nothing is lost."""

import json
from itertools import count

import pytest

from connectors.errors import MalformedPage
from connectors.upstreams import registry as upstreams
from connectors.upstreams.page import MAX_ENTRIES, read_page
from pipelines.demo.loopback import Reply, Request
from pipelines.errors import OutOfResources
from pipelines.line import Line
from pipelines.pull import spool
from tests.line.campaigns.states import states, truth
from tests.support.deployments import START, Upstream, server_json


@pytest.mark.parametrize("record", [b"{}", b'{"server":{"name":"a.b/c","version":"1"}}'])
def test_a_page_of_a_million_records_is_refused(record: bytes) -> None:
    body = b'{"servers":[%b],"metadata":{}}' % b",".join([record] * 1_000_000)
    with pytest.raises(MalformedPage, match=f"more than {MAX_ENTRIES} entries on one page"):
        read_page(body, url="https://registry.example/v0.1/servers")


def test_a_registry_without_pages_may_send_many() -> None:
    record = b'{"server":{"name":"a.b/c","version":"1"},"_meta":{}}'
    body = b'{"servers":[%b],"metadata":{}}' % b",".join([record] * 50_000)
    assert len(read_page(body).entries) == 50_000


def test_versions_without_end_are_not_kept(upstream: Upstream, deployment: Line) -> None:
    upstream.registry.publish(server_json("a.b/one"), START)
    upstream.registry.publish(server_json("a.b/two"), START)
    deployment.pull()
    before = states(deployment)
    pages = count()

    def endless(request: Request) -> Reply | None:
        if "/versions?" not in request.target:
            return None
        number = next(pages)
        official = {"status": "active", "publishedAt": "2026-01-01T00:00:00Z", "isLatest": False}
        meta = {"io.modelcontextprotocol.registry/official": official}
        entry = {"server": server_json("a.b/one", f"1.0.{number}"), "_meta": meta}
        page = {"servers": [entry], "metadata": {"nextCursor": f"c{number}"}}
        return Reply(200, json.dumps(page).encode(), {"Content-Type": "application/json"})

    upstream.fault = endless
    upstream.registry.publish(server_json("a.b/one", "2.0.0"), START)
    report = deployment.pull()
    assert report.unsettled_names <= 1
    assert next(pages) <= upstreams.MAX_PAGES + 1
    assert states(deployment).keys() >= before.keys()
    upstream.fault = lambda _: None
    deployment.pull(full=True)
    assert states(deployment) == truth(upstream)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("LARGEST", 20_000, "upstream sends without end"),
        ("RESERVE", 1 << 60, "before the disk is full. Make room"),
    ],
)
def test_a_walk_is_stopped_before_the_disk_is_full(
    full_of_servers: Upstream,
    deployment: Line,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    message: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(spool, limit, value)
        with pytest.raises(OutOfResources, match=message):
            deployment.pull()
    assert deployment.status().problems[0].message.startswith("pull failed: ")
    deployment.pull()
    assert states(deployment) == truth(full_of_servers)
