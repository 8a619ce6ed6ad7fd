"""What we serve, checked against the official specifications on the recorded data."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import yaml

from pipelines.demo.clock import FakeClock
from pipelines.refresh import publish
from serve.api.openapi import openapi
from serve.policy.served_feed import ServedFeed
from tests.support.deployments import make_deployment, upstream_server
from tests.support.feeds import NOW, Client, served
from tests.support.shared import base_dump, recorded_row, require, timeline

Json = dict[str, Any]  # schemas and answers


@pytest.fixture(scope="module")
def mirrored(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Client, dict[tuple[str, str], bytes]]]:
    """The recorded registry of 2025-11-30 as a served mirror, and what upstream sent."""
    home = tmp_path_factory.mktemp("home")
    clock = FakeClock(NOW)
    with upstream_server(clock) as upstream:
        for entry in base_dump():
            upstream.registry.put(recorded_row(entry))
        for _, upserts in timeline():
            for entry in upserts:
                upstream.registry.put(recorded_row(entry))
        deployment = make_deployment(home, upstream, clock)
        deployment.pull()
        (mirror,) = deployment.policies("mirror")
        publish(deployment, mirror, report_step=lambda *_: None)
        sent = {key: upstream.registry.body(key) for key in upstream.registry.rows()}
    with served(deployment.settings.feed_root, ("mirror", "/")) as client:
        yield client, sent


@pytest.fixture(scope="module")
def client(mirrored: tuple[Client, dict[tuple[str, str], bytes]]) -> Client:
    return mirrored[0]


@pytest.fixture(scope="module")
def pages(client: Client) -> list[Json]:
    pages, cursor = [], ""
    while True:
        page = client.json(f"/v0.1/servers?limit=100&include_deleted=true&cursor={cursor}")
        pages.append(page)
        cursor = page["metadata"].get("nextCursor", "")
        if not cursor:
            return pages


def component(document: Json, name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_every_served_entry_satisfies_the_official_schema(pages: list[Json]) -> None:
    schema = json.loads(require("spec/server.schema-2025-12-11.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    servers = [entry["server"] for page in pages for entry in page["servers"]]
    assert len(servers) == 2250
    failing = {
        f"{server['name']} {server['version']}": error.message
        for server in servers
        for error in validator.iter_errors(server)
    }
    assert failing == {}


def test_every_page_satisfies_the_official_and_our_own_openapi(pages: list[Json]) -> None:
    official = yaml.safe_load(require("spec/openapi-2025-12-01.yaml").read_text())
    for document in (official, openapi(ServedFeed("x", "X", "/"))):
        validator = component(document, "ServerList")
        for page in pages:
            assert [error.message for error in validator.iter_errors(page)] == []


def test_our_document_is_a_valid_one_and_tells_every_route(client: Client) -> None:
    document = openapi(ServedFeed("x", "X", "/"))
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path in (path for path, operations in document["paths"].items() if "get" in operations):
        target = path.format_map(
            {
                "serverName": "com.pga%2Fpga-golf",
                "version": "1.0",
                "from": "a",
                "to": "b",
                "schema": "x",
            }
        )
        assert client.ask(target)[0] in (200, 404)
    problem = component(document, "Problem")
    for target in ("/v0.1/servers?limit=0", "/v0.1/servers/a.b%2Fc/versions", "/nothing"):
        assert problem.is_valid(json.loads(client.ask(target)[2]))


def test_detail_and_list_say_the_same_bytes(client: Client, pages: list[Json]) -> None:
    for entry in pages[0]["servers"][:20] + pages[-1]["servers"][:20]:
        name, version = entry["server"]["name"], entry["server"]["version"]
        assert client.json(f"/v0.1/servers/{name}/versions/{version}") == entry


def test_every_entry_can_be_had_as_upstream_sent_it(
    mirrored: tuple[Client, dict[tuple[str, str], bytes]],
) -> None:
    client, sent = mirrored
    assert len(sent) > 2000
    different = 0
    for (name, version), body in sent.items():
        target = f"/v0.1/servers/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        assert client.ask(f"{target}?raw=true&include_deleted=true")[2] == body + b"\n"
        status, _, shown = client.ask(f"{target}?include_deleted=true")
        different += status != 200 or json.loads(shown)["server"] != json.loads(body)["server"]
    assert different > 200  # repaired or withheld


def test_an_unreadable_feed_root_is_not_an_empty_feed(tmp_path: Path) -> None:
    with served(tmp_path / "nowhere", ("mirror", "/")) as client:
        assert client.ask("/v0.1/servers")[0] == 503
