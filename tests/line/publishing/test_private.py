"""What a feed never showed of a private upstream is unknown to its readers, byte for byte."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.line import Line
from pipelines.refresh import refresh
from tests.support.deployments import START, Upstream, make_deployment, server_json
from tests.support.explain import explained
from tests.support.feeds import Client, served
from tests.support.policies import team

RULES = """
[[rules]]
name = "not-public"
verdict = "exclude"
when = "starts_with(name, 'com.corp.secret')"
reason = "for the house alone"

[cooldown]
days = 7
bypass = ["com.corp.shown/*", "io.github.o/*"]
"""
ROUTES = (
    "/v0.1/servers/{}/versions",
    "/v0.1/servers/{}/versions?include_deleted=true",
    "/v0.1/servers/{}/versions/1.0.0",
    "/v0.1/servers/{}/versions/latest",
    "/v0.1/servers/{}/versions/1.0.0?raw=true&include_deleted=true",
    "/v0.1/servers?search={}",
    "/v0.1/servers?search={}&include_deleted=true",
    "/search?q={}",
    "/explain/{}",
    "/explain/{}/1.0.0",
)
NOBODY = "com.corp.nobody%2Ftool"
HIDDEN = ("com.corp.secret%2Ftool", "com.corp.young%2Ftool")


@dataclass
class House:
    deployment: Line
    documents: Path


@pytest.fixture
def house(tmp_path: Path, upstream: Upstream, clock: FakeClock) -> House:
    documents = tmp_path / "inhouse"
    documents.mkdir()
    for name in ("com.corp.secret/tool", "com.corp.young/tool", "com.corp.shown/tool"):
        text = json.dumps(server_json(name, title="A tool"))
        (documents / f"{name.replace('/', '-')}.json").write_text(text)
    upstream.registry.publish(server_json("io.github.o/public"), START - timedelta(days=30))
    deployment = make_deployment(
        tmp_path / "home",
        upstream,
        clock,
        feeds=team(tmp_path / "documents", RULES),
        upstreams={"inhouse": str(documents), "official": upstream.url},
    )
    refresh(deployment, report_step=lambda *_: None)
    return House(deployment, documents)


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with served(house.deployment.settings.feed_root, ("team", "/")) as client:
        yield client


def answers(client: Client, name: str) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers without the clock, and body of every route, with the name left out."""
    got = []
    for route in ROUTES:
        status, headers, body = client.ask(route.format(name))
        kept = {key: value for key, value in headers.items() if key != "date"}
        got.append((status, kept, body.replace(name.encode(), b"NAME")))
    return got


@pytest.mark.parametrize("name", HIDDEN)
def test_an_excluded_and_a_waiting_name_are_unknown(client: Client, name: str) -> None:
    assert answers(client, name) == answers(client, NOBODY)
    everything = b"".join(
        client.ask(route)[2]
        for route in ("/v0.1/servers?limit=100&include_deleted=true", "/changes", "/registry.json")
    )
    everything += client.ask("/changes/rss.xml")[2] + client.ask("/changes/feed.json")[2]
    assert b"com.corp.shown" in everything
    assert name.partition("%")[0].encode() not in everything


def test_the_operator_is_told_all_the_same(house: House) -> None:
    (row,) = explained(house.deployment, "team", "com.corp.secret/tool", None)
    assert row["decision"]["rule"] == "not-public"
    assert row["live"] is None


def test_a_block_tells_no_name_either(house: House, client: Client) -> None:
    before = answers(client, HIDDEN[0])
    house.deployment.block("com.corp.secret/tool", reason="it leaks", by="ops")
    house.deployment.block("com.corp.shown/tool", reason="it leaks", by="ops")
    shown = "/v0.1/servers/com.corp.shown%2Ftool/versions/latest"
    client.until(lambda: client.ask(shown)[0] == 404)
    after = answers(client, HIDDEN[0])
    assert [(status, body) for status, _, body in after] == [
        (status, body) for status, _, body in before
    ]
    # What the feed once showed stays, as a tombstone.
    assert client.json(f"{shown}?include_deleted=true")["server"]["name"] == "com.corp.shown/tool"


def test_what_was_told_before_is_forgotten_once_an_upstream_is_private(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, house: House
) -> None:
    settings = house.deployment.settings
    sources = {
        "inhouse": {"url": str(house.documents), "private": False},
        "official": upstream.url,
    }
    told = make_deployment(settings.home, upstream, clock, feeds=settings.feeds, upstreams=sources)
    refresh(told, report_step=lambda *_: None)
    with served(settings.feed_root, ("team", "/")) as client:
        explanation = client.json(f"/explain/{HIDDEN[0]}")["versions"][0]
        assert explanation["reason"] == "for the house alone"
        clock.move_to(clock() + timedelta(hours=1))
        refresh(house.deployment, report_step=lambda *_: None)
        client.until(lambda: client.ask(f"/explain/{HIDDEN[0]}")[0] == 404)
        assert answers(client, HIDDEN[0]) == answers(client, NOBODY)
