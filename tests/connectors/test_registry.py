"""Walks of a registry that lies, and the exact bytes of what it sends."""

import json
from datetime import timedelta

import pytest

from connectors.errors import ConnectorError, MalformedPage
from connectors.upstreams.contract import Entry, Unreadable, compose, read_entry
from connectors.upstreams.page import read_page
from connectors.upstreams.places import base_url
from connectors.upstreams.registry import Missing, Registry
from pipelines.demo.loopback import Reply, Request
from tests.support.deployments import START, Upstream, server_json

META = (
    b'{"io.modelcontextprotocol.registry/official":{"status":"active",'
    b'"publishedAt":"2026-01-01T00:00:00.123456789Z","updatedAt":"2026-01-02T00:00:00+02:00",'
    b'"isLatest":true}}'
)


def page(*names: str, cursor: str | None = None) -> bytes:
    servers = ",".join(
        compose(json.dumps(server_json(name)).encode(), META).decode() for name in names
    )
    metadata = {"count": len(names)} | ({"nextCursor": cursor} if cursor else {})
    return f'{{"servers":[{servers}],"metadata":{json.dumps(metadata)}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"{}",
        b'{"servers":[]}',
        b'{"metadata":{"count":0}}',
        b'{"servers":null,"metadata":{}}',
        b'{"servers":[],"metadata":null}',
        b'{"servers":[],"metadata":{"nextCursor":7}}',
        b'{"servers":[{"server":',
        b"\xff\xfe",
    ],
)
def test_an_answer_without_the_shape_is_an_error_and_never_an_end(
    registry: Registry, upstream: Upstream, body: bytes
) -> None:
    upstream.fault = lambda _: Reply(200, body)
    with pytest.raises(MalformedPage, match="is not a page of a registry"):
        list(registry.walk())


def test_the_old_spelling_of_the_cursor_is_understood(
    registry: Registry, upstream: Upstream
) -> None:
    bodies = [
        page("a.b/a", cursor="x").replace(b"nextCursor", b"next_cursor"),
        page("a.b/b"),
    ]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    assert [len(fetched.entries) for fetched in registry.walk()] == [1, 1]


def test_a_cursor_is_sent_back_exactly(registry: Registry, upstream: Upstream) -> None:
    bodies = [page("a.b/a", cursor="a.b/a:1+x º{{V}}&limit=1"), page("a.b/b")]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    list(registry.walk())
    assert "cursor=a.b%2Fa%3A1%2Bx+%C2%BA%7B%7BV%7D%7D%26limit%3D1" in upstream.targets[1]


@pytest.mark.parametrize("second", ["a.b/a", "a.a/z"])
def test_pages_must_rise(registry: Registry, upstream: Upstream, second: str) -> None:
    bodies = [page("a.b/a", cursor="1"), page(second, cursor="2")]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    with pytest.raises(MalformedPage, match="repeats or goes back"):
        list(registry.walk())


@pytest.mark.parametrize("cursor", ["a.b/c", "a.b/b:2.0.0", "a.b/b:1.0.0+x", "z.z/z:"])
def test_a_cursor_that_skips_ends_in_an_error(
    registry: Registry, upstream: Upstream, cursor: str
) -> None:
    upstream.fault = lambda _: Reply(200, page("a.b/a", "a.b/b", cursor=cursor))
    with pytest.raises(MalformedPage, match="would skip what lies between"):
        list(registry.walk())


@pytest.mark.parametrize("cursor", ["a.b/b:1.0.0", "a.b/b:1", "a.b/b", "zz/z9+/z==", "~opaque.1"])
def test_a_cursor_of_the_last_entry_or_of_another_kind_is_followed(
    registry: Registry, upstream: Upstream, cursor: str
) -> None:
    bodies = [page("a.b/a", "a.b/b", cursor=cursor), page("a.b/c")]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    assert [len(fetched.entries) for fetched in registry.walk()] == [2, 1]


def test_a_repeated_cursor_ends_in_an_error(registry: Registry, upstream: Upstream) -> None:
    bodies = [page("a.b/a", cursor="1"), page("a.b/b", cursor="1"), page("a.b/c")]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    with pytest.raises(MalformedPage, match="names the cursor '1' twice"):
        list(registry.walk())


def test_a_full_page_without_a_next_one_is_an_error(registry: Registry, upstream: Upstream) -> None:
    names = [f"a.b/{number:03d}" for number in range(100)]

    def without_cursor(request: Request) -> Reply:
        limit = int(request.target.partition("limit=")[2].partition("&")[0])
        return Reply(200, page(*names[:limit]))

    upstream.fault = without_cursor
    with pytest.raises(MalformedPage, match="no next page either"):
        list(registry.walk())


def test_what_was_shown_at_the_end_and_then_is_not_makes_the_walk_an_old_one(
    registry: Registry, upstream: Upstream
) -> None:
    names = ["a.b/a", "a.b/b", "a.b/c"]
    bodies = [page(*names), page(*names[:2], cursor="a.b/b:1.0.0"), page(), page()]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    assert [(len(fetched.entries), fetched.stale) for fetched in registry.walk()] == [
        (2, False),
        (0, True),
    ]
    bodies = [page(*names), page(*names[:2], cursor="a.b/b:1.0.0"), page("a.b/c")]
    assert [(len(fetched.entries), fetched.stale) for fetched in registry.walk()] == [
        (2, False),
        (1, False),
    ]
    bodies = [page(*names), page(*names[1:], cursor="a.b/c:1.0.0"), page(), page()]
    assert [(len(fetched.entries), fetched.stale) for fetched in registry.walk()] == [
        (2, False),
        (0, False),
    ]


def test_a_registry_that_gives_all_whatever_is_asked_has_no_next_page(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.fault = lambda _: Reply(200, page(*(f"a.b/{number:03d}" for number in range(150))))
    assert [len(fetched.entries) for fetched in registry.walk()] == [150]


def test_versions_that_come_in_pages_are_read_to_the_end(
    registry: Registry, upstream: Upstream
) -> None:
    bodies = [page("a.b/a", cursor="x"), page("a.b/a", cursor="y"), page("a.b/a")]
    upstream.fault = lambda _: Reply(200, bodies.pop(0))
    assert len(registry.versions("a.b/a")) == 3
    upstream.fault = lambda _: Reply(200, page("a.b/a", cursor="x"))
    with pytest.raises(MalformedPage, match="names the cursor 'x' twice"):
        registry.versions("a.b/a")


def test_a_version_called_latest_is_not_the_latest_version(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.registry.publish(server_json("a.b/c", "1.0.0"), START)
    assert isinstance(registry.version("a.b/c", "latest"), Missing)


def test_a_full_walk_asks_for_deleted_entries_and_an_incremental_one_for_changes(
    registry: Registry, upstream: Upstream
) -> None:
    list(registry.walk())
    list(registry.walk(since="2026-01-01T00:00:00.5Z"))
    assert upstream.targets[::2] == [
        "/v0.1/servers?limit=100&include_deleted=true",
        "/v0.1/servers?limit=100&updated_since=2026-01-01T00%3A00%3A00.5Z",
    ]


def test_one_version_and_all_versions_can_be_missing(
    registry: Registry, upstream: Upstream
) -> None:
    upstream.registry.publish(server_json("a.b/c", "1.0.0+x"), START)
    assert len(registry.versions("a.b/c")) == 1
    assert not isinstance(registry.version("a.b/c", "1.0.0+x"), Missing)
    assert registry.versions("a.b/d") == []
    assert isinstance(registry.version("a.b/c", "2"), Missing)


def test_when_it_was_asked_is_on_upstreams_clock(registry: Registry, upstream: Upstream) -> None:
    (fetched,) = registry.walk()
    assert timedelta() < START - fetched.asked_at < timedelta(seconds=30)


def test_an_entry_keeps_every_byte() -> None:
    server = (
        b'{"name": "a.b/c" ,"version":"1","x":{"y":[1.50,null]},"description":"\\u00e9 \xc3\xa9"}'
    )
    plain = compose(server, META)
    odd = b'{ "server":' + server + b', "_meta":' + META + b', "later":1}'
    for raw in (plain, odd):
        entry = read_entry(raw)
        assert isinstance(entry, Entry)
        assert (entry.server, entry.meta) == (server, META)
        assert (entry.raw or compose(entry.server, entry.meta)) == raw
        assert entry.published_at.microsecond in (123456, 123457)
        assert entry.updated_at.isoformat() == "2026-01-01T22:00:00+00:00"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"7", "Expected `object`"),
        (b'{"server":{"name":"a.b/c","version":"1"}}', "_meta"),
        (b'{"server":{"name":1,"version":"1"},"_meta":' + META + b"}", "Expected `str`"),
        (b'{"server":{"name":"","version":"1"},"_meta":' + META + b"}", "empty"),
        (b'{"server":{"name":"\xff","version":"1"},"_meta":' + META + b"}", "utf-8"),
        (
            compose(b'{"name":"a.b/c","version":"1"}', META.replace(b"active", b"odd")),
            "the status 'odd' is unknown",
        ),
        (
            compose(b'{"name":"a.b/c","version":"1"}', META.replace(b"2026-01-01", b"yesterday")),
            "RFC3339",
        ),
        (
            compose(
                b'{"name":"a.b/c","version":"1"}',
                META.replace(b"2026-01-02T00:00:00+02:00", b"0001-01-01T00:00:00+23:00"),
            ),
            "out of range",
        ),
    ],
)
def test_what_cannot_be_read_comes_back_with_its_reason(raw: bytes, reason: str) -> None:
    record = read_entry(raw)
    assert isinstance(record, Unreadable)
    assert record.raw == raw
    assert reason in record.reason


def test_odd_details_do_not_make_an_entry_unreadable() -> None:
    server = b'{"name":"a.b/c","version":"1","packages":"none"}'
    entry = read_entry(compose(server, META))
    assert isinstance(entry, Entry)
    assert entry.details is None


@pytest.mark.parametrize(
    "url",
    ["https://r.example/v0.1/", "https://r.example/v0", "https://r.example/", " https://r.example"],
)
def test_a_version_prefix_in_the_setting_is_understood(url: str) -> None:
    assert base_url(url) == "https://r.example"


@pytest.mark.parametrize("url", ["", "r.example", "ftp://r.example", "https://r.example/?x=1"])
def test_a_wrong_upstream_url_says_how_to_write_it(url: str) -> None:
    with pytest.raises(ConnectorError, match="write https://HOST"):
        base_url(url)


def test_a_page_is_cut_without_touching_its_entries() -> None:
    head = read_page(page("a.b/a", "a.b/b"))
    assert [bytes(raw) for raw in head.entries] == [
        compose(json.dumps(server_json(name)).encode(), META) for name in ("a.b/a", "a.b/b")
    ]
