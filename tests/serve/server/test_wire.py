"""What goes over the wire: tags, encodings, pages; the fast path answers like the long one."""

import gzip
import json
import time

import pytest
import zstandard

from serve.api.encodings import accepted
from serve.api.pages import Pages, check_pages, walk, write_pages
from serve.edition.selection import Selection
from serve.errors import EditionBroken
from serve.feed.feed import Feed
from serve.policy.blocks import Block, BlockList
from serve.policy.served_feed import ServedFeed
from serve.server.app import build_app
from serve.server.live_editions import LOOK_EVERY, LiveEditions
from serve.server.protocol import BoundedProtocol, PlainProtocol
from serve.server.responses import matches
from tests.support.feeds import FEED, HOUR, NOW, application, entry, publish, running, served_app

TARGETS = [
    "/v0.1/servers",
    "/v0/servers?limit=100",
    "/servers?limit=2&version=latest",
    "/v0.1/servers?search=NUMBER%2011&limit=3",
    "/v0.1/servers?updated_since=2026-01-05T12:00:00Z",
    "/v0.1/servers?limit=x",
    "/v0.1/servers?cursor=sr2_broken",
    "/v0.1/servers/a.b%2Fs003/versions",
    "/v0.1/servers/a.b%2Fs003/versions/latest",
    "/v0.1/servers/a.b/s003/versions/1.0.0",
    "/v0.1/servers/a.b%2Fnothing/versions/1.0.0",
    "/v0.1/servers/a.b%2Fs003/versions/1.0.0?raw=true",
    "/v0.1/servers?edition=e1&limit=1",
    "/v0.1/servers?edition=nothing",
    "/v0.1//servers/?limit=1",
    "/v0.1/servers?limit=1&x=%00",
    "/v0.1/servers?limit=1#x",
    "http://elsewhere.example/v0.1/servers?limit=1",
    "/health",
    "/",
    "/nothing",
    "/v0.1/publish",
]


def test_the_fast_path_answers_as_the_long_one(feed: Feed) -> None:
    with (
        running(application(feed), BoundedProtocol) as fast,
        running(application(feed), PlainProtocol, "asyncio") as slow,
    ):
        for target in TARGETS:
            for headers in (
                {},
                {"Accept-Encoding": "gzip, deflate, br, zstd"},
                {"Accept-Encoding": "gzip"},
                {"If-None-Match": 'W/"e1"'},
                {"If-None-Match": '"other"', "Accept-Encoding": "identity"},
                {"Authorization": "Bearer x"},
            ):
                for method in ("GET", "HEAD"):
                    for _ in range(2):  # first made, then sent again
                        mine = fast.ask(target, method=method, headers=headers)
                        theirs = slow.ask(target, method=method, headers=headers)
                        for _, answer_headers, _ in (mine, theirs):
                            # The second may have changed meanwhile; compare only the time zone.
                            answer_headers["date"] = answer_headers["date"][-4:]
                        assert mine == theirs, (target, headers, method)


def test_an_unchanged_feed_is_told_so_until_it_changes(feed: Feed) -> None:
    with served_app(application(feed)) as client:
        target = "/v0.1/servers?limit=100"
        status, headers, _ = client.ask(target)
        assert (status, headers["etag"]) == (200, 'W/"e1"')
        assert headers["cache-control"] == "public, max-age=15, stale-while-revalidate=45"
        again = {"If-None-Match": headers["etag"]}
        status, headers, nothing = client.ask(target, headers=again)
        assert (status, nothing, headers["etag"]) == (304, b"", 'W/"e1"')
        assert "content-length" not in headers
        since = "/v0.1/servers?updated_since=2026-01-01T00:00:00Z"
        assert client.ask(since)[1]["cache-control"] == "public, no-cache"
        for target in ("/health", "/nothing", "/v0.1/servers?limit=0"):
            assert client.ask(target)[1]["cache-control"] == "no-store"
        publish(feed, [entry("a.b/s000", title="New")], "e2", now=NOW + HOUR)
        client.until(lambda: client.ask(since, headers=again)[0] == 200)
        BlockList(feed.folder.parent).add(Block("a.b/s000", None, "bad", "me", NOW))
        client.until(lambda: client.ask(since, headers={"If-None-Match": 'W/"e2"'})[0] == 200)
        assert b"withdrawn from this feed: bad" in client.ask(since)[2]


def test_what_a_key_opens_is_for_nobody_else(feed: Feed) -> None:
    token = feed.keys.add("ci", now=NOW)
    locked = ServedFeed("default", "Default", "/", access="key")
    app = build_app(feed.folder.parent, [locked], skew=60.0, per_minute=0, site="")
    with served_app(app) as client:
        for _ in range(2):
            assert client.ask("/v0.1/servers")[0] == 401
            status, headers, _ = client.ask(
                "/v0.1/servers", headers={"Authorization": f"Bearer {token}"}
            )
            assert (status, headers["cache-control"].split(",")[0]) == (200, "private")


def test_bodies_come_in_the_encoding_that_is_wanted(feed: Feed) -> None:
    with served_app(application(feed)) as client:
        target = "/v0.1/servers?limit=100"
        plain = client.ask(target)[2]
        _, headers, body = client.ask(target, headers={"Accept-Encoding": "gzip"})
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(body) == plain
        _, headers, body = client.ask(target, headers={"Accept-Encoding": "gzip, zstd"})
        assert headers["content-encoding"] == "zstd"
        assert zstandard.ZstdDecompressor().decompress(body) == plain
        assert int(headers["content-length"]) == len(body) < len(plain) / 4
        small = client.ask("/ping", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in small[1]
        assert small[1]["vary"] == "Origin, Accept-Encoding"


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (b"gzip, deflate, br", "gzip"),
        (b"gzip;q=0.5, zstd;q=0.4", "gzip"),
        (b"zstd;q=0, *", "gzip"),
        (b"*;q=0.1", "zstd"),
        (b"identity", ""),
        (b"gzip;q=0", ""),
        (b"gzip;q=x", ""),
        (b"identity, gzip;q=0.001", ""),
        (b"identity, gzip", "gzip"),
        (b"GZIP ; Q=1.0", "gzip"),
        (b", ,;", ""),
    ],
)
def test_accept_encoding_is_read_as_it_is_meant(header: bytes, encoding: str) -> None:
    assert accepted(header) == encoding


def test_tags_are_compared_weakly() -> None:
    assert matches(b'"a", W/"b"', b'W/"a"')
    assert matches(b'W/"b"', b'W/"b"')
    assert matches(b"*", b'W/"b"')
    assert not matches(b'"ab"', b'W/"b"')


def test_pages_made_beforehand_are_the_pages(
    feed: Feed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    edition = feed.current()
    assert edition is not None
    assert write_pages(edition) == (edition.folder / "pages").stat().st_size
    pages = Pages(edition.folder / "pages")
    assert list(check_pages(edition, pages)) == []
    starts = [start for start, _ in walk(edition, 100, Selection())]
    assert starts == [0, 100, 200]
    assert pages.at(100, Selection(), 50) == {}
    assert pages.at(100, Selection(search=b"x"), 0) == {}
    store = LiveEditions(feed.folder.parent, FEED)
    store.look()
    assert store.pages(store.live()) is not None
    with served_app(application(feed)) as client:
        time.sleep(2 * LOOK_EVERY)  # by then the server looked for pages
        headers = {"Accept-Encoding": "gzip"}
        body = client.ask("/v0.1/servers?limit=100", headers=headers)[2]
        assert body == pages.at(100, Selection(), 0)["gzip"]
        cursor = json.loads(gzip.decompress(body))["metadata"]["nextCursor"]
        body = client.ask(f"/v0.1/servers?limit=100&cursor={cursor}", headers=headers)[2]
        assert body == pages.at(100, Selection(), 100)["gzip"]
    monkeypatch.setattr("serve.api.pages._FIRST", 2)
    write_pages(edition)
    few = Pages(edition.folder / "pages")
    assert list(check_pages(edition, few)) == []
    assert few.at(100, Selection(), 100) == pages.at(100, Selection(), 100)
    assert few.at(100, Selection(), 200) == {}
    damaged = bytearray((edition.folder / "pages").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (edition.folder / "pages").write_bytes(damaged)
    with pytest.raises(EditionBroken, match="is not what was written"):
        Pages(edition.folder / "pages")
    caplog.clear()
    store = LiveEditions(feed.folder.parent, FEED)
    for _ in range(3):
        store.look()
    assert store.pages(store.live()) is None
    assert caplog.text.count("pages not used") == 1
