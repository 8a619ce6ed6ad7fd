"""The read API as clients use it: the vectors of the contract, over HTTP, byte by byte."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
import yaml

from serve.feed.feed import Feed
from tests.support.feeds import FIRST, NOW, Client, entry, publish, served

DAY = timedelta(days=1)
ODD_VERSIONS = ["2025.11.13+pr147-5d1f8b0", "{{VERSION}}", "1.0.1º", "1.0:0", "a b", "100%25"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("feeds")
    feed = Feed(root, "default")
    entries = [
        entry("com.a-b/x"),
        entry("com.a.b/x"),
        entry("io.github.A/x"),
        entry("io.github.a/x", "10.0.0", at=NOW - 5 * DAY, is_latest=False),
        entry("io.github.a/x", "2.0.0", at=NOW - 9 * DAY, is_latest=False),
        entry("io.github.a/x", "1.0.0", at=NOW - 3 * DAY, is_latest=False),
        entry("io.github.a/x", "1.0.0-rc.1", at=NOW - 4 * DAY, is_latest=False),
        entry("io.github.a/x", "11.0.0", at=NOW - 2 * DAY),
        entry("io.github.p/per_cent-100"),
        entry("io.github.p/percent"),
        entry("io.github.s/half", "1.0.0", is_latest=False),
        entry("io.github.s/half", "2.0.0", status="deleted", is_latest=True),
        entry("io.github.s/gone", "1.0.0", status="deleted", updated=NOW - DAY),
        entry("io.github.d/old", status="deprecated"),
        *[
            entry("io.github.o/odd", version, at=NOW - DAY * number, is_latest=number == 1)
            for number, version in enumerate(ODD_VERSIONS, start=1)
        ],
        *[entry(f"io.github.z/{number:03d}") for number in range(120)],
    ]
    publish(feed, entries, "e1")
    publish(Feed(root, "other"), entries[:3], "e1")
    with served(root, ("default", "/"), ("other", "/feeds/other")) as client:
        yield client


@pytest.mark.parametrize("prefix", ["/v0.1", "/v0", ""])
def test_every_prefix_answers_alike(client: Client, prefix: str) -> None:
    for path in (
        "/servers?limit=3",
        "/servers/com.a.b%2Fx/versions",
        "/servers/com.a.b%2Fx/versions/1.0.0",
    ):
        assert client.ask(prefix + path)[2] == client.ask("/v0.1" + path)[2]
    assert client.json(f"{prefix}/ping") == {"pong": True}
    assert client.json(f"{prefix}/health")["status"] == "ok"
    assert set(client.json(f"{prefix}/version")) == {"version", "git_commit", "build_time"}


def test_a_feed_has_its_own_base_path(client: Client) -> None:
    assert len(client.keys("/feeds/other/v0.1/servers")) == 3
    assert client.json("/feeds/other/health")["feed"] == "other"
    assert client.json("/feeds/nothing/v0.1/servers", status=404)["status"] == 404


@pytest.mark.parametrize(
    ("limit", "status", "said", "value"),
    [
        ("", 200, "", None),
        ("1", 200, "", None),
        ("100", 200, "", None),
        ("%2B5", 200, "", None),
        ("0", 422, "expected number >= 1", 0),
        ("101", 422, "expected number <= 100", 101),
        ("-1", 422, "expected number >= 1", -1),
        ("abc", 422, "invalid integer", "abc"),
        ("1.5", 422, "invalid integer", "1.5"),
    ],
)
def test_limits_outside_the_range_are_refused_as_upstream_does(
    client: Client, limit: str, status: int, said: str, value: object
) -> None:
    problem = client.json(f"/v0.1/servers?limit={limit}", status=status)
    if said:
        assert problem["detail"] == "validation failed"
        assert problem["errors"] == [{"message": said, "location": "query.limit", "value": value}]


def test_the_order_is_that_of_bytes_and_a_walk_meets_everything_once(client: Client) -> None:
    for limit in (1, 7, 30, 100):
        met = client.walk(f"/v0.1/servers?limit={limit}&include_deleted=true")
        assert met == sorted(met, key=lambda key: (key[0].encode(), key[1].encode()))
        assert len(met) == len(set(met)) == 140


def test_a_full_last_page_is_followed_by_an_empty_one(client: Client) -> None:
    first = client.json("/feeds/other/v0.1/servers?limit=3")
    cursor = first["metadata"]["nextCursor"]
    body = client.ask(f"/feeds/other/v0.1/servers?limit=3&cursor={cursor}")[2]
    assert body == b'{"servers":[],"metadata":{"count":0}}\n'


def test_our_cursor_needs_no_escaping_and_carries_the_filters(client: Client) -> None:
    first = client.json("/v0.1/servers?search=io.github.z&version=latest&limit=50")
    cursor = first["metadata"]["nextCursor"]
    assert cursor == quote(cursor, safe="")
    rest = client.keys(f"/v0.1/servers?limit=50&version=latest&cursor={cursor}")
    assert all(name.startswith("io.github.z/") for name, _ in rest)
    assert len(client.walk("/v0.1/servers?search=io.github.z&version=latest&limit=50")) == 120


@pytest.mark.parametrize(
    ("cursor", "first"),
    [
        ("io.github.A/x", "io.github.a/x"),
        ("com.a-b/x:1.0.0", "com.a.b/x"),
        ("com.a-b/x:0.9.9", "com.a-b/x"),
        ("com.a-b/x%3A1.0.0", "com.a.b/x"),
        ("", "com.a-b/x"),
        (":", "com.a-b/x"),
        ("com.a-c/nothing", "com.a.b/x"),
        ("zzz:", None),
    ],
)
def test_upstreams_cursors_are_understood(client: Client, cursor: str, first: str | None) -> None:
    keys = client.keys(f"/v0.1/servers?limit=1&cursor={cursor}")
    assert [name for name, _ in keys] == ([first] if first else [])


@pytest.mark.parametrize(
    "damage", [lambda cursor: cursor[:-3], lambda cursor: cursor + "AAAA", lambda cursor: "sr1_!!"]
)
def test_a_damaged_cursor_of_ours_is_a_400(client: Client, damage: Callable[[str], str]) -> None:
    cursor = client.json("/v0.1/servers?limit=1")["metadata"]["nextCursor"]
    problem = client.json(f"/v0.1/servers?cursor={damage(cursor)}", status=400)
    assert "start the list again" in problem["detail"]


@pytest.mark.parametrize(
    ("needle", "count"),
    [
        ("per_cent-100", 1),
        ("PER_CENT", 1),
        ("per%25cent", 0),
        ("%25", 0),
        ("_", 1),
        ("IO.GITHUB.A/", 6),
        ("io.github.a%2Fx", 6),
        ("gr%C3%B6%C3%9Fe", 0),
        ("nothing+at+all", 0),
        ("", 30),
        ("%ff", 0),
    ],
)
def test_search_is_a_literal_substring_without_case_for_ascii(
    client: Client, needle: str, count: int
) -> None:
    assert len(client.keys(f"/v0.1/servers?search={needle}")) == count


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("2026-01-01T00:00:00Z", 200),
        ("2026-01-01T00:00:00.123456789Z", 200),
        ("2026-01-01T00:00:00,5Z", 200),
        ("2026-01-01T00:00:00%2B02:00", 200),
        ("2026-01-01T00:00:00+02:00", 200),
        ("2026-01-01T00:00:00-02:00", 200),
        ("2026-01-01", 400),
        ("2026-01-01+00:00:00Z", 400),
        ("2026-01-01T00:00:00", 400),
        ("2026-13-01T00:00:00Z", 400),
        ("2026-01-01T00:00:60Z", 400),
        ("9999-12-31T23:59:59-23:59", 400),
        ("0001-01-01T00:00:00%2B10:00", 400),
        ("%F0%9F%98%80", 400),
    ],
)
def test_updated_since_takes_rfc_3339(client: Client, since: str, status: int) -> None:
    assert client.ask(f"/v0.1/servers?updated_since={since}")[0] == status


def test_deleted_entries_are_shown_to_those_who_ask(client: Client) -> None:
    gone = "/v0.1/servers/io.github.s%2Fgone/versions"
    assert client.json(gone, status=404)["detail"] == "Server not found"
    assert client.json(f"{gone}/latest", status=404)["error"] == "Server not found"
    assert client.json(f"{gone}/1.0.0", status=404)["title"] == "Not Found"
    for query in ("?include_deleted=true", "?include_deleted=1", "?include_deleted"):
        assert len(client.keys(gone + query)) == 1
        tombstone = client.json(f"{gone}/latest{query}")
        assert set(tombstone["server"]) == {"$schema", "name", "description", "version"}
        official = tombstone["_meta"]["io.modelcontextprotocol.registry/official"]
        assert (official["status"], official["isLatest"]) == ("deleted", True)
    names = {name for name, _ in client.walk("/v0.1/servers?limit=100")}
    assert "io.github.s/gone" not in names
    assert "io.github.d/old" in names
    shown = client.walk("/v0.1/servers?limit=100&updated_since=2020-01-01T00:00:00Z")
    assert ("io.github.s/gone", "1.0.0") in shown
    conflict = "/v0.1/servers?updated_since=2020-01-01T00:00:00Z&include_deleted=false"
    assert "Cannot set include_deleted=false" in client.json(conflict, status=400)["detail"]
    assert client.ask("/v0.1/servers?include_deleted=maybe")[0] == 422


def test_the_latest_is_elected_among_what_is_served(client: Client) -> None:
    for name, version in (("io.github.s/half", "1.0.0"), ("io.github.a/x", "11.0.0")):
        elected = client.json(f"/v0.1/servers/{quote(name, safe='')}/versions/latest")
        assert elected["server"]["version"] == version
    latest = client.walk("/v0.1/servers?version=latest&limit=100")
    assert len(latest) == len({name for name, _ in latest}) == 129
    assert client.keys("/v0.1/servers?version=10.0.0") == [("io.github.a/x", "10.0.0")]


def test_versions_come_newest_first_and_unpaged(client: Client) -> None:
    keys = client.keys("/v0.1/servers/io.github.a%2Fx/versions?limit=1")
    assert [version for _, version in keys] == ["11.0.0", "1.0.0", "1.0.0-rc.1", "10.0.0", "2.0.0"]


@pytest.mark.parametrize(
    "path",
    [
        "/v0.1/servers/io.github.A%2Fx/versions/1.0.0",
        "/v0.1/servers/io.github.A%2fx/versions/1.0.0",
        "/v0.1/servers/io.github.A%252Fx/versions/1.0.0",
        "/v0.1/servers/io.github.A/x/versions/1.0.0",
        "/v0.1/servers/io.github.A%2Fx/versions/1.0.0/",
        "//v0.1//servers//io.github.A%2Fx//versions//1.0.0",
        "/v0.1/servers/io.github.A%2Fx/versions/latest",
        "/v0.1/servers/io.github.A%2Fx",
        "/v0/servers/io.github.A/x",
        "/servers/io.github.A/x/",
        "/v0.1/servers/io%2Egithub%2EA%2Fx/versions/1%2E0%2E0?unknown=1&x",
    ],
)
def test_a_name_may_come_in_any_spelling_and_never_with_a_redirect(
    client: Client, path: str
) -> None:
    assert client.json(path)["server"]["name"] == "io.github.A/x"


def test_lookups_are_exact(client: Client) -> None:
    for path in (
        "/v0.1/servers/IO.GITHUB.A%2Fx/versions/latest",
        "/v0.1/servers/io.github.A%2F/versions/latest",
        "/v0.1/servers/io.github.A/versions/latest",
        "/v0.1/servers/io.github.A%2Fx/versions/1.0",
        "/v0.1/servers/io.github.A%2Fx/versions/1.0.0/more",
        "/v0.1/servers/nothing",
    ):
        assert client.json(path, status=404)["detail"] == "Server not found"


@pytest.mark.parametrize("version", ODD_VERSIONS)
def test_odd_versions_go_through_path_and_cursor(client: Client, version: str) -> None:
    path = f"/v0.1/servers/io.github.o%2Fodd/versions/{quote(version, safe='')}"
    assert client.json(path)["server"]["version"] == version
    listed = client.walk("/v0.1/servers?search=io.github.o/odd&limit=1")
    assert ("io.github.o/odd", version) in listed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v0.1/publish", 501),
        ("POST", "/v0/validate", 501),
        ("POST", "/v0.1/auth/github-oidc", 501),
        ("PUT", "/v0.1/servers/a.b%2Fc/versions/1", 501),
        ("DELETE", "/v0.1/servers/a.b/c/versions/1", 501),
        ("PATCH", "/v0.1/servers/a.b%2Fc/versions/1/status", 501),
        ("PATCH", "/v0.1/servers/a.b%2Fc/status", 501),
        ("POST", "/v0.1/servers", 405),
        ("DELETE", "/health", 405),
        ("POST", "/", 405),
        ("GET", "/v0.1/publish", 405),
        ("GET", "/v0.1/nothing", 404),
        ("GET", "/v0.1/servers%00", 404),
        ("GET", "/v0.1/servers/a%00b", 400),
        ("GET", "/v0.1/servers?search=%00", 400),
        ("GET", "/v0.1/servers?search=%2500", 200),
        ("GET", "/v0.1/servers?%zz=1&search=%zz&limit=2", 200),
        ("GET", "/v0.1/servers?limit=2&limit=500", 200),
        ("GET", "/v0.1/servers?search=" + "x" * 20_000, 414),
    ],
)
def test_every_answer_is_json_with_cors(
    client: Client, method: str, path: str, status: int
) -> None:
    actual, headers, body = client.ask(path, method=method, headers={"Origin": "null"})
    assert actual == status
    assert headers["access-control-allow-origin"] == "*"
    document = json.loads(body)
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"
        assert document["status"] == status
        assert document["error"] == document["detail"]
    if status == 405:
        assert headers["allow"].endswith("OPTIONS")


def test_a_preflight_is_answered(client: Client) -> None:
    status, headers, body = client.ask(
        "/v0.1/servers", method="OPTIONS", headers={"Access-Control-Request-Method": "GET"}
    )
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-methods"] == "GET, OPTIONS"
    assert headers["access-control-allow-headers"].startswith("Authorization, ")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("X-Client-Version, mcp-protocol-version", "X-Client-Version, mcp-protocol-version"),
        ('x-"odd"; y', "Authorization, Content-Type, If-None-Match"),
        ("x" * 2000, "Authorization, Content-Type, If-None-Match"),
    ],
)
def test_a_browser_may_send_the_headers_it_asks_for(
    client: Client, asked: str, allowed: str
) -> None:
    for path in ("/v0.1/servers", "/", "/feeds/none"):
        _, headers, _ = client.ask(
            path, method="OPTIONS", headers={"Access-Control-Request-Headers": asked}
        )
        assert headers["access-control-allow-headers"] == allowed


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400), (12_000, 400)])
def test_a_search_has_a_bounded_length(client: Client, length: int, status: int) -> None:
    code, _, body = client.ask(f"/v0.1/servers?search={'q' * length}")
    assert code == status
    assert status == 200 or b"more than 255 bytes; use a part of the name" in body


def test_search_looks_at_names_alone(client: Client) -> None:
    """As upstream says it does; /search ranks the rest too."""
    assert client.keys("/v0.1/servers?search=The+server") == []


def test_head_is_get_without_a_body(client: Client) -> None:
    for path in ("/v0.1/servers?limit=2", "/v0.1/servers/a.b%2Fnothing/versions", "/openapi.json"):
        status, headers, body = client.ask(path, method="HEAD")
        same, full, full_body = client.ask(path)
        assert (status, body) == (same, b"")
        assert headers["content-length"] == full["content-length"] == str(len(full_body))


def test_the_json_is_compact_and_typed_as_upstream_writes_it(client: Client) -> None:
    _, headers, body = client.ask("/v0.1/servers/com.a.b%2Fx/versions/1.0.0")
    assert headers["content-type"] == "application/json"
    assert body.endswith(b"}\n")
    page = client.ask("/v0.1/servers?limit=2")[2]
    assert b" " not in page.replace(b"The server x", b"")
    assert body[:-1] in page
    official = json.loads(body)["_meta"]["io.modelcontextprotocol.registry/official"]
    assert list(official) == ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"]
    assert official["publishedAt"] == "2025-12-06T12:00:00Z"
    own = json.loads(body)["_meta"]
    assert own["local.subregistry/enrichment"] == {"packages": []}
    assert own["local.subregistry/feed"] == {
        "state": "admitted",
        "edition": "e1",
        "sequence": FIRST,
        "publishedAt": "2026-01-05T12:00:00.000000Z",
    }


def test_odd_headers_are_ignored(client: Client) -> None:
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json", "Accept": "x/y"}
    assert client.ask("/v0.1/servers?limit=1", headers=headers)[0] == 200


def test_an_upgrade_is_not_taken_and_not_an_error(client: Client) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
        "Sec-WebSocket-Version": "13",
    }
    assert client.ask("/ping", headers=headers)[0] == 200


def test_the_description_passes_importers_gates(client: Client) -> None:
    status, _, body = client.ask("/openapi.yaml", headers={"Accept": "application/json"})
    document = yaml.safe_load(body)
    assert status == 200
    assert document["info"]["version"] == "1.0.0"
    assert "https://github.com/modelcontextprotocol/registry" in document["info"]["description"]
    assert client.json("/openapi.json") == document
    assert client.json("/feeds/other/openapi.json")["servers"] == [{"url": "/feeds/other"}]
