"""How answers go over the wire: tags, encodings, one write, and the fast path like the long one."""

import asyncio
import gzip
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import uvicorn
import uvloop
import zstandard

from pipelines.server import listen
from serve import accesslog, protocol
from serve.api import Api, Request
from serve.app import App, build_app
from serve.blocks import Block, BlockList
from serve.edition import Selection
from serve.encodings import accepted
from serve.errors import EditionBroken
from serve.feed import Feed, ServedFeed
from serve.metrics import Metrics
from serve.pages import Pages, check_pages, walk, write_pages
from serve.protocol import BoundedProtocol, PlainProtocol
from serve.shelf import LOOK_EVERY, LiveShelf
from serve.verified import verify
from serve.wire import matches
from tests.serve.feeds import NOW, Client, entry, publish, served_app

HOUR = timedelta(hours=1)
FEED = ServedFeed("default", "Default", "/")


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    found = Feed(tmp_path, "default")
    entries = [entry(f"a.b/s{n:03}", description=f"Number {n} " + "x" * 60) for n in range(240)]
    publish(found, entries, "e1")
    return found


@pytest.fixture(autouse=True)
def no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have opened one, and then nothing is quick."""
    monkeypatch.setattr(accesslog, "is_open", lambda: False)


def application(feed: Feed, **named: Any) -> App:
    values: dict[str, Any] = {"skew": 60.0, "per_minute": 0, "site": ""} | named
    return build_app(feed.folder.parent, [FEED], **values)


@contextmanager
def running(app: App, kind: type[BoundedProtocol], loop: Any = "uvloop") -> Iterator[Client]:
    """The application behind one of the protocols."""
    sock = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=kind, loop=loop, log_level="warning", access_log=False, ws="none",
        server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield Client(sock.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_no_part_of_an_answer_waits_for_another_one_to_arrive(loop: Any) -> None:
    async def delays() -> list[int]:
        found: asyncio.Queue[int] = asyncio.Queue()

        async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            await found.put(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        sock = listen("127.0.0.1", 0)
        async with await asyncio.start_server(met, sock=sock):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            first = await found.get()
            writer.close()
            return [first]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(delays()) == [1]


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
                    for _ in range(2):  # made, then sent again
                        mine = fast.ask(target, method=method, headers=headers)
                        theirs = slow.ask(target, method=method, headers=headers)
                        for _, told, _ in (mine, theirs):
                            told["date"] = told["date"][-4:]
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


def test_pages_made_beforehand_are_the_pages(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    edition = feed.current()
    assert edition is not None
    assert write_pages(edition) == (edition.folder / "pages").stat().st_size
    pages = Pages(edition.folder / "pages")
    assert list(check_pages(edition, pages)) == []
    starts = [start for start, _ in walk(edition, 100, Selection())]
    assert starts == [0, 100, 200]
    assert pages.at(100, Selection(), 50) == {}
    assert pages.at(100, Selection(search=b"x"), 0) == {}
    shelf = LiveShelf(feed.folder.parent, FEED)
    shelf.look()
    assert shelf.live().pages is not None
    with served_app(application(feed)) as client:
        time.sleep(2 * LOOK_EVERY)  # pages are looked for then
        headers = {"Accept-Encoding": "gzip"}
        body = client.ask("/v0.1/servers?limit=100", headers=headers)[2]
        assert body == pages.at(100, Selection(), 0)["gzip"]
        cursor = json.loads(gzip.decompress(body))["metadata"]["nextCursor"]
        body = client.ask(f"/v0.1/servers?limit=100&cursor={cursor}", headers=headers)[2]
        assert body == pages.at(100, Selection(), 100)["gzip"]
    other = bytearray((edition.folder / "pages").read_bytes())
    other[len(other) // 2] ^= 1
    (edition.folder / "pages").write_bytes(other)
    with pytest.raises(EditionBroken, match="is not what was written"):
        Pages(edition.folder / "pages")
    caplog.clear()
    shelf = LiveShelf(feed.folder.parent, FEED)
    for _ in range(3):
        shelf.look()
    assert shelf.live().pages is None
    assert caplog.text.count("pages not used") == 1


class CountingTransport:
    """Counts what is written to it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, parts: Any) -> None:
        self.writes.append(b"".join(parts))

    def get_extra_info(self, _: str) -> None:
        return None

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


class QuietLoop:
    """A loop that runs nothing."""

    def time(self) -> float:
        return 0.0

    def call_later(self, *_: object) -> None:
        return None


def test_an_answer_is_one_write(feed: Feed) -> None:
    app = application(feed)
    config = uvicorn.Config(app, http=BoundedProtocol, log_level="warning", ws="none")
    config.load()
    state = uvicorn.server.ServerState()
    found = BoundedProtocol(config, state, {}, QuietLoop())
    transport = CountingTransport()
    found.connection_made(transport)  # type: ignore[arg-type]
    request = b"GET /v0.1/servers?limit=3 HTTP/1.1\r\nHost: x\r\n\r\n"
    found.data_received(request[:20])
    assert transport.writes == []
    found.data_received(request[20:] + request + request)
    assert len(transport.writes) == 3
    assert len(set(transport.writes)) == 1
    head, _, body = transport.writes[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body)["metadata"]["count"] == 3


def test_requests_on_one_connection_are_answered_in_order(feed: Feed) -> None:
    targets = ["/v0.1/servers?limit=1", "/health", "/v0.1/servers?limit=2", "/", "/ping", "/x"]
    with (
        running(application(feed), BoundedProtocol) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock,
        sock.makefile("rb") as file,
    ):
        asked = "".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in targets)
        sock.sendall(asked.encode())
        for target in targets:
            assert answer_of(file) == client.ask(target)[::2], target


def answer_of(file: BinaryIO) -> tuple[int, bytes]:
    """The next answer on a connection."""
    status, length = int(file.readline().split()[1]), 0
    while (line := file.readline().lower()) != b"\r\n":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return status, file.read(length)


def test_clients_that_do_not_go_on_are_let_go(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CHECK_EVERY", 0.1)
    monkeypatch.setattr(protocol, "PATIENCE", 0.3)
    with running(application(feed), BoundedProtocol) as client:
        place = ("127.0.0.1", client.port)
        with socket.create_connection(place) as slow, socket.create_connection(place) as stuck:
            slow.sendall(b"GET /v0.1/servers HTTP/1.1\r\nHos")
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asked = b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n" * 400
            stuck.settimeout(5)
            slow.settimeout(5)
            with pytest.raises(ConnectionError):
                send_for_ever(stuck, asked)
            assert slow.recv(4096).startswith(b"HTTP/1.1 408 Request Timeout")
            assert slow.recv(4096) == b""
        assert client.ask("/ping")[0] == 200


def send_for_ever(sock: socket.socket, data: bytes) -> None:
    while True:
        sock.sendall(data)


def test_a_reader_who_takes_its_time_gets_all(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "CHECK_EVERY", 0.1)
    with running(application(feed), BoundedProtocol) as client:
        expected = client.ask("/v0.1/servers?limit=100")[2]
        place = ("127.0.0.1", client.port)
        with socket.create_connection(place, timeout=10) as sock, sock.makefile("rb") as file:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            asked = b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n"
            sock.sendall(asked * 30)
            for _ in range(30):
                time.sleep(0.03)
                assert answer_of(file) == (200, expected)


def test_a_reader_who_goes_on_is_not_stuck(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unsent may grow from one look to the next although all of it is read."""
    every = 0.3
    monkeypatch.setattr(protocol, "CHECK_EVERY", every)
    long = [entry(f"a.b/l{n:03}", description="x" * 90, title="y" * 4000) for n in range(100)]
    publish(feed, long, "e2", now=NOW + HOUR)
    with running(application(feed), BoundedProtocol) as client:
        expected = client.ask("/v0.1/servers?limit=100&search=xxx")[2]
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            sock.settimeout(10)
            sock.connect(("127.0.0.1", client.port))
            for _ in range(8):  # a page takes a little longer than there is between two looks
                sock.sendall(b"GET /v0.1/servers?limit=100&search=xxx HTTP/1.1\r\nHost: x\r\n\r\n")
                got, begun = b"", time.monotonic()
                while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < len(expected):
                    part = sock.recv(16_384)
                    assert part
                    got += part
                    share = len(got) / len(expected)
                    time.sleep(max(begun + share * every * 1.1 - time.monotonic(), 0))
                assert got.endswith(expected)


def test_nobody_makes_many_requests_wait_on_one_connection(feed: Feed) -> None:
    with running(application(feed), BoundedProtocol) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock:
            answers = b""
            with suppress(ConnectionError):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
                while part := sock.recv(65_536):
                    answers += part
            assert answers.count(b"HTTP/1.1 200 OK") <= protocol._MOST_WAITING
        assert client.ask("/ping")[0] == 200


def test_nonsense_is_not_taken_for_the_answer_to_what_came_before(feed: Feed) -> None:
    with (
        running(application(feed), BoundedProtocol) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock,
    ):
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
        assert not sock.recv(65_536).startswith(b"HTTP/1.1 400")


def test_a_disk_in_trouble_ends_no_following(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles = [PermissionError(13, "denied"), ValueError("of a defect")]
    confirmed = Feed.confirmed

    def told(self: Feed) -> datetime | None:
        if troubles:
            raise troubles.pop()
        return confirmed(self)

    with served_app(application(feed, metrics=Metrics())) as client:
        client.until(lambda: client.ask("/v0.1/servers")[1]["etag"] == 'W/"e1"')
        monkeypatch.setattr(Feed, "confirmed", told)
        client.until(lambda: not troubles)
        publish(feed, [entry("a.b/s000", title="New")], "e2", now=NOW + HOUR)
        client.until(lambda: client.ask("/v0.1/servers")[1]["etag"] == 'W/"e2"')
        assert client.ask("/metrics", method="POST")[0] == 405


def test_nobody_waits_for_a_new_edition_to_be_verified(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(feed, [entry("a.b/s000", title="New")], "e2", now=NOW + HOUR)
    shelf = LiveShelf(feed.folder.parent, FEED)
    shelf.watch()
    assert shelf.find("e1").tag == "e1"
    reached, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **named: Any) -> Any:
        reached.set()
        assert go_on.wait(20)
        return verify(*arguments, **named)

    monkeypatch.setattr("serve.shelf.verify", slowly)
    publish(feed, [entry("a.b/s001", title="New")], "e3", now=NOW + 2 * HOUR)
    thread = threading.Thread(target=shelf.look)
    thread.start()
    try:
        assert reached.wait(20)
        assert (shelf.find("e1").tag, shelf.live().tag) == ("e1", "e2")
    finally:
        go_on.set()
        thread.join()
    assert shelf.live().tag == "e3"


def test_a_catalog_is_made_once(feed: Feed) -> None:
    api = Api(version="0", skew=0.0)
    shelf = LiveShelf(feed.folder.parent, FEED)
    request = Request(b"GET", b"/registry.json", b"")
    first = api.answer(request, shelf)
    assert first is not None
    assert api.answer(request, shelf) is first
    assert gzip.decompress(first.packed["gzip"]) == first.body
    publish(feed, [entry("a.b/s001", title="New")], "e2", now=NOW + HOUR)
    shelf.look()
    later = api.answer(request, shelf)
    assert later is not None
    assert b'"title":"New"' in later.body


def test_switches_under_load_fail_and_mix_nothing(feed: Feed) -> None:
    """Every answer is whole, and of the edition that its tag names."""
    targets = ["/v0.1/servers?limit=100", "/v0.1/servers/a.b%2Fs007/versions/latest"]
    expected: dict[tuple[str, str], str] = {}

    def note(edition: str) -> None:
        shelf = LiveShelf(feed.folder.parent, FEED)
        api = application(feed)
        assert shelf.live().tag == edition
        with served_app(api) as client:
            for target in targets:
                expected[edition, target] = hashlib.sha256(client.ask(target)[2]).hexdigest()

    met: list[tuple[str, str, str]] = []
    troubles: list[str] = []
    ended = threading.Event()

    def read(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while not ended.is_set():
                for target in targets:
                    connection.request("GET", target)
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status != 200:
                        troubles.append(f"{answer.status} {target}")
                    tag = answer.headers["ETag"][3:-1]
                    met.append((tag, target, hashlib.sha256(body).hexdigest()))
        except (OSError, http.client.HTTPException) as error:
            troubles.append(repr(error))
        finally:
            connection.close()

    note("e1")
    with running(application(feed), BoundedProtocol) as client:
        threads = [threading.Thread(target=read, args=(client.port,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(2, 8):
                changed = [entry("a.b/s007", title=f"T{number}"), entry(f"a.b/n{number}")]
                publish(feed, changed, f"e{number}", now=NOW + number * HOUR)
                switched = time.monotonic()
                wanted = f'W/"e{number}"'
                client.until(lambda tag=wanted: client.ask(targets[0])[1]["etag"] == tag)  # type: ignore[misc]
                assert time.monotonic() - switched < 5
                note(f"e{number}")
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    assert troubles == []
    assert {tag for tag, _, _ in met} == {f"e{number}" for number in range(1, 8)}
    assert all(expected[tag, target] == digest for tag, target, digest in met)


def test_a_server_that_stops_ends_what_it_answers(feed: Feed) -> None:
    expected = None
    with running(application(feed), BoundedProtocol) as client:
        expected = client.ask("/v0.1/servers?limit=100")[2]
        sock = socket.create_connection(("127.0.0.1", client.port), timeout=10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.sendall(b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        reader = threading.Timer(0.5, lambda: None)
        reader.start()
        received: list[tuple[int, bytes]] = []

        def read() -> None:
            reader.join()
            with sock, sock.makefile("rb") as file:
                received.append(answer_of(file))

        thread = threading.Thread(target=read)
        thread.start()
    thread.join()
    assert received == [(200, expected)]
