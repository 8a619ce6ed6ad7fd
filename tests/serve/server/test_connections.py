"""How a server treats connections, and how it changes to the next edition while it answers."""

import asyncio
import gzip
import hashlib
import http.client
import json
import socket
import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

import pytest
import uvicorn
import uvloop

from pipelines.server import listen
from serve.api.registry import Api, Request
from serve.edition.verification import verify
from serve.feed.feed import Feed
from serve.server import protocol
from serve.server.live_editions import LiveEditions
from serve.server.metrics import Metrics
from serve.server.protocol import BoundedProtocol
from tests.support.feeds import FEED, HOUR, NOW, application, entry, publish, running, served_app


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_no_part_of_an_answer_waits_for_another_one_to_arrive(loop: Any) -> None:
    async def delays() -> list[int]:
        options: asyncio.Queue[int] = asyncio.Queue()

        async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            await options.put(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        sock = listen("127.0.0.1", 0)
        async with await asyncio.start_server(met, sock=sock):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            first = await options.get()
            writer.close()
            return [first]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(delays()) == [1]


class CountingTransport:
    """Keeps what is written to it."""

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
    """An event loop that runs nothing."""

    def time(self) -> float:
        return 0.0

    def call_later(self, *_: object) -> None:
        return None


def test_an_answer_is_one_write(feed: Feed) -> None:
    app = application(feed)
    config = uvicorn.Config(app, http=BoundedProtocol, log_level="warning", ws="none")
    config.load()
    state = uvicorn.server.ServerState()
    connection = BoundedProtocol(config, state, {}, QuietLoop())
    transport = CountingTransport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    request = b"GET /v0.1/servers?limit=3 HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.data_received(request[:20])
    assert transport.writes == []
    connection.data_received(request[20:] + request + request)
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
        requests = "".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in targets)
        sock.sendall(requests.encode())
        for target in targets:
            assert answer_of(file) == client.ask(target)[::2], target


def answer_of(file: BinaryIO) -> tuple[int, bytes]:
    """Read the next answer on a connection: its status and body."""
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
            requests = b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n" * 400
            stuck.settimeout(5)
            slow.settimeout(5)
            with pytest.raises(ConnectionError):
                send_for_ever(stuck, requests)
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
            request = b"GET /v0.1/servers?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n"
            sock.sendall(request * 30)
            for _ in range(30):
                time.sleep(0.03)
                assert answer_of(file) == (200, expected)


def test_a_reader_who_goes_on_is_not_stuck(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unsent bytes may grow between two checks although the reader takes all of them."""
    every = 0.3
    monkeypatch.setattr(protocol, "CHECK_EVERY", every)
    long = [
        entry(f"a.b/l{number:03}", description="x" * 90, title="y" * 4000) for number in range(100)
    ]
    publish(feed, long, "e2", now=NOW + HOUR)
    with running(application(feed), BoundedProtocol) as client:
        expected = client.ask("/v0.1/servers?limit=100&search=xxx")[2]
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            sock.settimeout(10)
            sock.connect(("127.0.0.1", client.port))
            for _ in range(8):  # a page takes a little longer than the time between checks
                sock.sendall(b"GET /v0.1/servers?limit=100&search=xxx HTTP/1.1\r\nHost: x\r\n\r\n")
                buf, begun = b"", time.monotonic()
                while b"\r\n\r\n" not in buf or len(buf.partition(b"\r\n\r\n")[2]) < len(expected):
                    part = sock.recv(16_384)
                    assert part
                    buf += part
                    share = len(buf) / len(expected)
                    time.sleep(max(begun + share * every * 1.1 - time.monotonic(), 0))
                assert buf.endswith(expected)


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
    store = LiveEditions(feed.folder.parent, FEED)
    store.watch()
    assert store.find("e1").tag == "e1"
    reached, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **named: Any) -> Any:
        reached.set()
        assert go_on.wait(20)
        return verify(*arguments, **named)

    monkeypatch.setattr("serve.server.live_editions.verify", slowly)
    publish(feed, [entry("a.b/s001", title="New")], "e3", now=NOW + 2 * HOUR)
    thread = threading.Thread(target=store.look)
    thread.start()
    try:
        assert reached.wait(20)
        assert (store.find("e1").tag, store.live().tag) == ("e1", "e2")
    finally:
        go_on.set()
        thread.join()
    assert store.live().tag == "e3"


def test_a_catalog_is_made_once(feed: Feed) -> None:
    api = Api(version="0", skew=0.0)
    store = LiveEditions(feed.folder.parent, FEED)
    request = Request(b"GET", b"/registry.json", b"")
    first = api.answer(request, store)
    assert first is not None
    assert api.answer(request, store) is first
    assert gzip.decompress(first.packed["gzip"]) == first.body
    publish(feed, [entry("a.b/s001", title="New")], "e2", now=NOW + HOUR)
    store.look()
    later = api.answer(request, store)
    assert later is not None
    assert b'"title":"New"' in later.body


def test_switches_under_load_fail_and_mix_nothing(feed: Feed) -> None:
    """Every answer is whole and belongs to the edition that its tag names."""
    targets = ["/v0.1/servers?limit=100", "/v0.1/servers/a.b%2Fs007/versions/latest"]
    expected: dict[tuple[str, str], str] = {}

    def note(edition: str) -> None:
        store = LiveEditions(feed.folder.parent, FEED)
        api = application(feed)
        assert store.live().tag == edition
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
        # The client starts to read half a second later, when the server is stopping.
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
