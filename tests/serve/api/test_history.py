"""Earlier editions, differences, changes, reasons, upstream's own bytes: over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import jsonschema
import pytest

from serve.api.openapi import openapi
from serve.api.schemas import BLOCKS
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from tests.support.feeds import FIRST, NOW, Client, Json, entry, excluded, publish, served

HOUR = timedelta(hours=1)
BROKEN: dict[str, Any] = {"packages": [{"registryType": "npm", "identifier": "x"}], "remotes": []}
# A sequence counts seconds, so an edition one hour later has 3600 more.
E2, E3 = FIRST + 3600, FIRST + 7200


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three editions, published at 12, 13 and 14 o'clock."""
    root = tmp_path_factory.mktemp("feeds")
    feed = Feed(root, "default")
    kept, edited = entry("a.b/kept"), entry("a.b/edited")
    gone, late = entry("a.b/gone"), entry("a.b/late", at=NOW - timedelta(days=300))
    odd = entry("a.b/odd", repository={})
    withheld = entry("a.b/withheld", **BROKEN)
    unsure = replace(kept, name="a.b/unsure", admitted=False, server=None, unknown=("r1", "r2"))
    publish(feed, [kept, edited, gone, excluded(late), odd, withheld, unsure], "e1")
    edited = entry("a.b/edited", title="New", updated=NOW + HOUR)
    publish(
        feed,
        [kept, edited, excluded(gone, "flooding"), excluded(late), odd, withheld, unsure],
        "e2",
        now=NOW + HOUR,
    )
    publish(
        feed,
        [kept, edited, excluded(gone, "flooding"), late, odd, withheld, unsure],
        "e3",
        now=NOW + 2 * HOUR,
    )
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[Client]:
    with served(root, ("default", "/"), ("default", "/feeds/same")) as client:
        yield client


def titles(client: Client, query: str) -> dict[str, str | None]:
    servers = client.json(f"/v0.1/servers?{query}")["servers"]
    return {item["server"]["name"]: item["server"].get("title") for item in servers}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("edition=e1", {"a.b/edited", "a.b/gone", "a.b/kept", "a.b/odd"}),
        ("as_of=2026-01-05T12:00:00Z", {"a.b/edited", "a.b/gone", "a.b/kept", "a.b/odd"}),
        ("as_of=2026-01-05T12:59:59.999999Z", {"a.b/edited", "a.b/gone", "a.b/kept", "a.b/odd"}),
        ("as_of=2026-01-05T13:00:00Z", {"a.b/edited", "a.b/kept", "a.b/odd"}),
        ("as_of=2026-01-05T15:00:00%2B01:00", {"a.b/edited", "a.b/kept", "a.b/late", "a.b/odd"}),
        ("as_of=2030-01-01T00:00:00Z", {"a.b/edited", "a.b/kept", "a.b/late", "a.b/odd"}),
        ("edition=e2&as_of=2026-01-05T12:00:00Z", {"a.b/edited", "a.b/kept", "a.b/odd"}),
        ("edition=&as_of=", {"a.b/edited", "a.b/kept", "a.b/late", "a.b/odd"}),
    ],
)
def test_an_earlier_edition_can_be_read(client: Client, query: str, names: set[str]) -> None:
    assert set(titles(client, query)) == names


def test_every_read_route_takes_an_edition(client: Client) -> None:
    assert titles(client, "edition=e1")["a.b/edited"] is None
    for route in ("/v0/servers/a.b%2Fedited", "/servers/a.b%2Fedited/versions/1.0.0"):
        assert "title" not in client.json(f"{route}?edition=e1")["server"]
        assert client.json(f"{route}?edition=e2")["server"]["title"] == "New"
    versions = client.json("/v0.1/servers/a.b%2Fgone/versions?edition=e1")
    assert versions["metadata"] == {"count": 1}
    assert client.ask("/v0.1/servers/a.b%2Fgone/versions?edition=e2")[0] == 404
    assert client.json("/health?edition=e2")["sequence"] == E2
    assert client.json("/explain/a.b%2Flate?edition=e1")["versions"][0]["state"] == "excluded"
    assert client.json("/explain/a.b%2Flate")["versions"][0]["state"] == "admitted"


def test_a_walk_of_an_edition_stays_in_it(client: Client) -> None:
    met = [name for name, _ in client.walk("/v0.1/servers?edition=e1&limit=1")]
    assert met == ["a.b/edited", "a.b/gone", "a.b/kept", "a.b/odd"]
    first = client.json("/v0.1/servers?as_of=2026-01-05T12:30:00Z&limit=1")["metadata"]
    rest = client.keys(f"/v0.1/servers?edition=e3&limit=9&cursor={first['nextCursor']}")
    assert [name for name, _ in rest] == ["a.b/gone", "a.b/kept", "a.b/odd"]


def test_what_never_was_is_not_found(client: Client) -> None:
    for query in ("edition=e9", "edition=%2e%2e", "as_of=2025-01-01T00:00:00Z"):
        assert client.ask(f"/v0.1/servers?{query}")[0] == 404
    assert client.ask("/v0.1/servers?as_of=yesterday")[0] == 400


def test_editions_are_listed_newest_first_and_in_pages(client: Client) -> None:
    editions = client.json("/editions")["editions"]
    assert [(edition["edition"], edition["sequence"], edition["live"]) for edition in editions] == [
        ("e3", E3, True),
        ("e2", E2, False),
        ("e1", FIRST, False),
    ]
    assert (editions[1]["entries"], editions[1]["tombstones"], editions[1]["changed"]) == (3, 1, 2)
    assert editions[1]["publishedAt"] == "2026-01-05T13:00:00Z"
    assert editions[1]["treatments"]["repaired:repository-dropped"] == 1
    assert editions[1]["treatments"]["withheld:not-decodable"] == editions[1]["withheld"] == 1
    first = client.json("/editions?limit=2")
    rest = client.json(f"/editions?limit=2&cursor={first['metadata']['nextCursor']}")
    assert [edition["edition"] for edition in first["editions"] + rest["editions"]] == [
        "e3",
        "e2",
        "e1",
    ]
    assert rest["metadata"] == {"count": 1}


def test_two_editions_can_be_compared(client: Client) -> None:
    diff = client.json("/editions/e1/diff/e3")
    assert (diff["from"], diff["to"]) == ("e1", "e3")
    assert [(difference["kind"], difference["name"]) for difference in diff["differences"]] == [
        ("changed", "a.b/edited"),
        ("removed", "a.b/gone"),
        ("added", "a.b/late"),
    ]
    assert diff["differences"][1]["from"] == {"state": "admitted", "sequence": FIRST}
    assert diff["differences"][1]["to"] == {"state": "withdrawn", "sequence": E2}
    assert "from" not in diff["differences"][2]
    backwards = client.json("/editions/e3/diff/e1")["differences"]
    assert [difference["kind"] for difference in backwards] == ["changed", "added", "removed"]
    assert client.json("/editions/e2/diff/e2")["differences"] == []
    assert client.paged("/editions/e1/diff/e3?limit=1", "differences") == diff["differences"]
    assert client.ask("/editions/e1/diff/e9")[0] == 404
    assert client.ask("/editions/e1")[0] == 404


def test_changes_come_by_sequence_each_entry_once(client: Client) -> None:
    page = client.json("/changes?since_sequence=0")
    assert [(change["kind"], change["name"], change["sequence"]) for change in page["changes"]] == [
        ("added", "a.b/kept", FIRST),
        ("added", "a.b/odd", FIRST),
        ("changed", "a.b/edited", E2),
        ("withdrawn", "a.b/gone", E2),
        ("added", "a.b/late", E3),
    ]
    assert page["metadata"] == {"count": 5, "sequence": E3, "firstSequence": FIRST}
    assert page["changes"][2]["publishedAt"] == "2026-01-05T13:00:00Z"
    entry_ = page["changes"][2]["entry"]
    assert entry_ == client.json("/v0.1/servers/a.b%2Fedited/versions/1.0.0")
    since = client.json(f"/changes?since_sequence={E2}")["changes"]
    assert [change["name"] for change in since] == ["a.b/late"]
    assert client.json(f"/changes?since_sequence={E3}")["changes"] == []
    assert [change["name"] for change in client.json("/changes?edition=e1")["changes"]] == [
        "a.b/edited",
        "a.b/gone",
        "a.b/kept",
        "a.b/odd",
    ]
    for bad in ("-1", "x", "1.5"):
        assert client.ask(f"/changes?since_sequence={bad}")[0] == 422
    assert client.ask("/changes?cursor=sr2_AAAA")[0] == 400


def test_pages_of_changes_are_the_whole(client: Client) -> None:
    changes = client.json("/changes")["changes"]
    for limit in (1, 2, 4):
        assert client.paged(f"/changes?limit={limit}", "changes") == changes


def test_feed_readers_get_the_newest_changes(client: Client) -> None:
    json_feed = client.json("/feeds/same/changes/feed.json?limit=2")
    assert json_feed["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["title"] for item in json_feed["items"]] == [
        "a.b/late 1.0.0 added",
        "a.b/edited 1.0.0 changed",
    ]
    site = f"http://127.0.0.1:{client.port}"
    assert json_feed["feed_url"] == f"{site}/feeds/same/changes/feed.json"
    url = json_feed["items"][0]["url"]
    assert client.json(url.removeprefix(site))["server"]["name"] == "a.b/late"
    status, headers, body = client.ask("/changes/feed.rss")
    assert (status, headers["content-type"]) == (200, "application/rss+xml")
    items = ElementTree.fromstring(body).findall("./channel/item")
    assert [item.findtext("title") for item in items[:2]] == [
        item["title"] for item in json_feed["items"]
    ]
    assert items[0].findtext("guid") == json_feed["items"][0]["id"]
    odd = client.ask("/changes/feed.json", headers={"Host": 'x"><script>'})[2]
    assert b"script" not in odd


def test_every_known_entry_has_its_reason(client: Client) -> None:
    def why(name: str) -> Json:
        (explanation,) = client.json(f"/explain/{quote(name, safe='')}")["versions"]
        assert client.json(f"/explain/{name}/1.0.0")["versions"] == [explanation]
        assert client.json(f"/explain/{quote(name, safe='')}/1.0.0")["versions"] == [explanation]
        return dict(explanation)

    assert why("a.b/kept") == {
        "version": "1.0.0",
        "summary": "Version 1.0.0 is in this feed: no rule is against it.",
        "state": "admitted",
        "verdict": "admit",
        "rule": "default",
        "reason": "no rule decided",
    }
    gone = why("a.b/gone")
    assert (gone["state"], gone["rule"], gone["reason"]) == ("withdrawn", "no", "flooding")
    assert why("a.b/odd")["treatments"] == [
        {"kind": "repaired", "rule": "repository-dropped", "detail": "{}"}
    ]
    withheld = why("a.b/withheld")
    assert (withheld["state"], withheld["verdict"]) == ("withheld", "admit")
    assert "transport" in withheld["treatments"][-1]["detail"]
    assert why("a.b/unsure")["unknown"] == ["r1", "r2"]
    for name in ("a.b/never", "a.b/kept/2.0.0", "a.b%2Fkept/9"):
        assert "Never seen upstream" in client.json(f"/explain/{name}", status=404)["detail"]
    assert client.ask("/explain")[0] == 404


def test_upstreams_own_bytes_can_be_had(client: Client, tmp_path: Path) -> None:
    for name, extra in (("a.b/odd", {"repository": {}}), ("a.b/withheld", BROKEN)):
        sent = entry(name, **extra)
        assert sent.server is not None
        assert sent.meta is not None
        raw = client.ask(f"/v0.1/servers/{quote(name, safe='')}/versions/1.0.0?raw=true")[2]
        assert raw == b'{"server":%b,"_meta":%b}\n' % (sent.server, sent.meta)
    assert client.ask("/v0.1/servers/a.b%2Fwithheld/versions/1.0.0")[0] == 404
    unchanged = client.json("/v0.1/servers/a.b%2Fkept?raw=true")
    assert list(unchanged["_meta"]) == ["io.modelcontextprotocol.registry/official"]
    for target in ("a.b%2Fgone/versions/1.0.0?raw=true&include_deleted=true", "a.b%2Fx?raw=true"):
        assert client.ask(f"/v0.1/servers/{target}")[0] == 404
    assert client.ask("/v0.1/servers/a.b%2Fkept?raw=maybe")[0] == 422
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/gone", status="deleted")], "e1")
    with served(tmp_path, ("default", "/")) as other_client:
        target = "/v0.1/servers/a.b%2Fgone/versions/1.0.0?raw=true"
        assert other_client.ask(target)[0] == 404
        assert "remotes" in other_client.json(f"{target}&include_deleted=true")["server"]


def test_what_was_deleted_is_not_to_be_had_by_another_name(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/bad name", status="deleted")], "e1")
    raw = b'{ "extra":1, "server":{}, "_meta":{} }'
    publish(feed, [replace(entry("a.b/odd"), raw=raw)], "e2", now=NOW + HOUR)
    with served(tmp_path, ("default", "/")) as client:
        for query in ("raw=true", "raw=true&include_deleted=true"):
            assert client.ask(f"/v0.1/servers/a.b%2Fbad%20name/versions/1.0.0?{query}")[0] == 404
        assert client.ask("/v0.1/servers/a.b%2Fodd?raw=true")[2] == raw + b"\n"


def test_a_withheld_tombstone_says_why(tmp_path: Path) -> None:
    feed = Feed(tmp_path, "default")
    publish(feed, [entry("a.b/one")], "e1")
    publish(feed, [entry("a.b/one", **BROKEN)], "e2", now=NOW + HOUR)
    with served(tmp_path, ("default", "/")) as client:
        tombstone = client.json("/v0.1/servers/a.b%2Fone/versions/1.0.0?include_deleted=true")
    message = tombstone["_meta"]["io.modelcontextprotocol.registry/official"]["statusMessage"]
    assert "transport" in message


def test_odd_blocks_of_the_envelope_are_left_out(tmp_path: Path) -> None:
    feed, one = Feed(tmp_path, "default"), entry("a.b/one")
    publisher = b'"io.modelcontextprotocol.registry/publisher-provided":{"github":{"name":"x"}}'
    meta = (one.meta or b"")[:-1] + b',"x.y/z":null,"x.y/kept":{"a":null},' + publisher + b"}"
    publish(feed, [replace(one, meta=meta)], "e1")
    with served(tmp_path, ("default", "/")) as client:
        blocks = client.json("/v0.1/servers/a.b%2Fone")["_meta"]
        assert blocks["x.y/kept"] == {"a": None}
        assert "x.y/z" not in blocks
        assert not [key for key in blocks if "publisher" in key]
        (why,) = client.json("/explain/a.b/one")["versions"]
        assert [treatment["rule"] for treatment in why["treatments"]] == [
            "publisher-meta-dropped"
        ] * 2


def test_one_document_holds_every_latest_version(client: Client) -> None:
    catalog = client.json("/registry.json")
    assert [item["server"]["name"] for item in catalog["servers"]] == [
        "a.b/edited",
        "a.b/kept",
        "a.b/late",
        "a.b/odd",
    ]
    assert all(set(item) == {"server"} for item in catalog["servers"])


def test_our_keys_have_a_schema_that_is_served(client: Client) -> None:
    entry_ = client.json("/v0.1/servers/a.b%2Fkept")
    for name in BLOCKS:
        schema = client.json(f"/schemas/{name}")
        jsonschema.Draft202012Validator.check_schema(schema)
        block = entry_["_meta"].get(f"local.subregistry/{name.partition('.')[0]}")
        jsonschema.validate(block or {"categories": ["a"], "featured": True}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"state": "odd"}, client.json("/schemas/feed.v1.json"))
    assert client.ask("/schemas/feed.v9.json")[0] == 404


def test_the_document_names_our_keys_as_the_feed_spells_them(root: Path) -> None:
    document = openapi(ServedFeed("x", "X", "/x", namespace="org.example", access="key"))
    assert "org.example/feed" in document["components"]["schemas"]["EntryMeta"]["properties"]
    assert document["security"] == [{"key": []}]
    assert document["servers"] == [{"url": "/x"}]
