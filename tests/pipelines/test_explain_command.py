"""`explain` says first what is live and why, as the feed itself answers, then what waits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.parser import main
from serve.feed.feed import Feed
from tests.pipelines.conftest import WITHOUT_C
from tests.support.deployments import START, Upstream, server_json
from tests.support.feeds import Client, served

NAME = "a.b/one"
SHOWN = "Version 1.0.0 is in this feed: no rule is against it."


@pytest.fixture
def client(running: Path) -> Iterator[Client]:
    with served(running / "feeds", ("mirror", "/")) as client:
        yield client


def explained(
    capsys: pytest.CaptureFixture[str], client: Client, name: str = NAME
) -> Any:  # one row of the command's JSON
    """What the command says; what it calls live is what the feed answers."""
    capsys.readouterr()
    assert main(["explain", name, "--feed", "mirror", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    path = f"/explain/{name.replace('/', '%2F')}"
    client.until(lambda: client.json(path)["versions"] == [row["live"]])
    assert row["summary"] == row["live"]["summary"]
    return row


def test_an_admitted_server(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    row = explained(capsys, client)
    assert row["summary"] == SHOWN
    assert "waits" not in row
    assert main(["explain", NAME, "--feed", "mirror"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == row["summary"]


def test_after_a_block(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", NAME, "--reason", "it steals tokens"]) == 0
    row = explained(capsys, client)
    assert row["summary"] == (
        "Version 1.0.0 was withdrawn from this feed: it steals tokens (rule block)."
    )
    assert row["waits"] == (
        "The last curation says admit (rule default: no rule decided), but it was blocked since."
    )


def test_after_a_rollback(
    running: Path, upstream: Upstream, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    first = str(Feed(running / "feeds", "mirror").current_id())
    upstream.registry.set_status(NAME, None, "deleted", "", START)
    assert main(["run", "--full"]) == 0
    assert explained(capsys, client)["summary"] == (
        "Version 1.0.0 was deleted upstream, so this feed shows it as deleted."
    )
    assert main(["switch", "--feed", "mirror", "--to", first]) == 0
    assert explained(capsys, client)["summary"] == SHOWN


def test_after_a_refused_gate(
    home: Path, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.parent / "two-feeds" / "mirror.toml").write_text(WITHOUT_C)
    assert main(["run"]) == 3
    row = explained(capsys, client, "c.d/s07")
    assert row["summary"] == SHOWN
    assert row["waits"].startswith(
        "The last curation says exclude (rule no-c: we run no such servers), but the gate refused "
        "it: 60 of 63 running entries would go"
    )
    assert "subregistry switch --feed mirror --accept --reason WHY" in row["waits"]


def test_a_withheld_entry(
    upstream: Upstream, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = server_json("e.f/odd") | {"remotes": [{"type": "carrier-pigeon", "url": "x"}]}
    upstream.registry.publish(odd, START)
    assert main(["run", "--full"]) == 0
    row = explained(capsys, client, "e.f/odd")
    assert row["summary"].startswith("Version 1.0.0 is meant for this feed, but cannot be shown: ")


def test_without_a_warehouse_what_is_live_is_still_explained(
    running: Path, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    (running / "warehouse.duckdb").write_bytes(b"damaged")
    row = explained(capsys, client)
    assert row["summary"] == SHOWN
    assert "cannot be read" in row["trouble"]
