"""Malicious registries: where requests really go, seen at the sockets, and what they cost."""

import gzip
import json
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connectors.errors import AddressRefused, ConnectorError, Unreachable
from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.registries.lookup import UNDECIDED, Outcome, PackageRequest
from enrich.ecosystem import PackageKey, PackageRef
from enrich.ecosystems import canonicalise, read
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from tests.connectors.test_packages import ask

TARGETS = [
    PackageRequest("npm", "@s/p", ("1.0.0",)),
    PackageRequest("pypi", "p", ("1.0.0",)),
    PackageRequest("oci:ghcr.io", "o/r", ("1.0.0",)),
]
METADATA = "http://169.254.169.254/latest/meta-data/"
_dialled: list[tuple[str, int]] | None = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _dialled is not None and isinstance(arguments[1], tuple):
        _dialled.append((str(arguments[1][0]), int(arguments[1][1])))


sys.addaudithook(_hear)


@contextmanager
def wire() -> Iterator[list[tuple[str, int]]]:
    """Every address that this process dials inside the block, as an audit hook reports it."""
    global _dialled  # noqa: PLW0603 - an audit hook cannot be removed, only switched off
    addresses: list[tuple[str, int]] = []
    _dialled = addresses
    try:
        yield addresses
    finally:
        _dialled = None


def points_elsewhere(url: str) -> list[Callable[[Request], Reply]]:
    """Answers that try to make a reader send a request to `url`."""
    challenge = f'Bearer realm="{url}",service="x"'
    document = {
        "name": "p",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {
            "1.0.0": {
                "dist": {
                    "tarball": url,
                    "attestations": {"url": url, "provenance": {"predicateType": url}},
                },
                "repository": url,
            }
        },
        "files": [{"filename": "p-1.0.0.tar.gz", "url": url, "provenance": url, "yanked": False}],
        "info": {"version": "1.0.0", "project_urls": {"Source": url}, "download_url": url},
        "config": {"digest": "sha256:" + "0" * 64, "urls": [url]},
        "manifests": [{"digest": url, "urls": [url], "platform": {"os": "linux"}}],
        "token": "t",
        "next": url,
    }
    body = json.dumps(document).encode()
    return [
        lambda _: Reply(302, b"", {"Location": url}),
        lambda _: Reply(308, b"", {"Location": url}),
        lambda _: Reply(401, b"{}", {"WWW-Authenticate": challenge}),
        lambda _: Reply(200, body, {"Link": f'<{url}>; rel="next"', "Content-Location": url}),
        lambda request: (
            Reply(307, b"", {"Location": url}) if "/blobs/" in request.target else Reply(200, body)
        ),
    ]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.origin)
@pytest.mark.parametrize("way", range(5))
def test_nothing_that_a_registry_says_leads_anywhere_else(target: PackageRequest, way: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as victim:
        port = victim.getsockname()[1]
        for url in (METADATA, f"http://127.0.0.2:{port}/x", f"http://localhost:{port}/x"):
            with wire() as dialled:
                _, seen = ask(points_elsewhere(url)[way], target)
            assert seen
            assert {host for host, _ in dialled} == {"127.0.0.1"}
            assert port not in {dialled_port for _, dialled_port in dialled}


def test_names_that_try_to_leave_their_path_ask_for_nothing() -> None:
    for name in (
        "../x",
        "..%2fx",
        "a/../b",
        "a?x=1",
        "a#b",
        "a\\b",
        "@s/..",
        "a\r\nHost: x",
        "a b",
    ):
        for kind in ("npm", "pypi", "oci"):
            key = canonicalise(PackageRef(kind, "", name, "1.0.0"))
            if isinstance(key, PackageKey):
                assert set(key.package) <= set("abcdefghijklmnopqrstuvwxyz/")
                assert ".." not in key.package


@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["fd00:ec2::254"],
    ],
)
def test_a_public_name_with_an_inside_address_is_not_dialled(
    found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        wire() as dialled,
        HttpClient(AddressPolicy(), "test", RequestPolicy(tries=1)) as http,
        pytest.raises(AddressRefused),
    ):
        http.get("https://registry.example/x")
    assert dialled == []


def test_the_address_that_was_checked_is_the_one_that_is_dialled(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    answers = ["127.0.0.1", "10.0.0.1"]
    with LoopbackServer(lambda _: Reply(200, b"ok"), clock=clock) as server:
        port = int(server.url.rpartition(":")[2])

        def rebind(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            address = answers.pop(0) if host == "registry.example" else host
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", rebind)
        policy = AddressPolicy(operator_hosts=frozenset({"registry.example"}))
        with wire() as dialled, HttpClient(policy, "test", RequestPolicy(tries=1)) as http:
            assert http.get(f"http://registry.example:{port}/x").body == b"ok"
    assert dialled == [("127.0.0.1", port)]
    assert answers == ["10.0.0.1"], "a name is resolved once per connection"


def test_a_resolver_that_does_not_answer_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()

    def never(*_: object, **__: object) -> list[tuple[object, ...]]:
        ended.wait(20)
        raise OSError("no")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    request_policy = RequestPolicy(tries=1, deadline=0.3)
    try:
        with (
            HttpClient(AddressPolicy(), "test", request_policy) as http,
            pytest.raises(Unreachable),
        ):
            http.get("https://registry.example/")
        assert not ended.is_set()
    finally:
        ended.set()


def deep(levels: int) -> bytes:
    return b'{"versions":' + b"[" * levels + b"]" * levels + b"}"


MANY = b'{"versions":{' + b",".join(b'"%d":0' % number for number in range(1_600_000)) + b"}}"
BOMBS = {
    "deep": deep(100_000),
    "many": MANY,
    "lists": b'{"files":[' + b"[]," * 4_000_000 + b"[]]}",
    "number": b'{"versions":{"1.0.0":' + b"9" * 1_000_000 + b"}}",
    "doubled": b'{"versions":{},"versions":{"1.0.0":{}}}',
    "nan": b'{"versions":{"1.0.0":NaN}}',
    "surrogate": b'{"versions":{"1.0.0":{"mcpName":"\\ud800"}},"files":[{"filename":"\\ud800"}]}',
    "bytes": b'{"versions":{"1.0.0":{"mcpName":"\xff\xfe"}}}',
    "nothing": b"",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.origin)
def test_a_bomb_of_json_is_contained(target: PackageRequest, bomb: str) -> None:
    body = BOMBS[bomb]
    response, _ = ask(lambda _: Reply(200, body), target)
    tracemalloc.start()
    read(target.origin, response, target.versions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000 + 16 * len(body)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.origin)
def test_a_bomb_of_gzip_and_a_body_over_the_cap_are_cut(target: PackageRequest) -> None:
    bomb = gzip.compress(b"\0" * 300_000_000, 9)
    tracemalloc.start()
    response, _ = ask(lambda _: Reply(200, bomb, {"Content-Encoding": "gzip"}), target)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.outcome in UNDECIDED
    assert peak < 60_000_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.origin)
def test_headers_without_end_are_contained(target: PackageRequest) -> None:
    response, _ = ask(lambda _: Reply(200, b"{}", {"ETag": '"' + "x" * 60_000 + '"'}), target)
    assert len(response.etag) <= 4096
    many = {f"X-{number}": "y" * 1000 for number in range(2000)}
    response, _ = ask(lambda _: Reply(200, b"{}", many), target)
    assert response.outcome == Outcome.UPSTREAM_ERROR


Talk = Callable[[socket.socket, threading.Event], None]


def raw_server(answer: Talk) -> tuple[int, Callable[[], None]]:
    server, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection, ended)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()

    def stop() -> None:
        ended.set()
        # close alone does not wake a thread that waits in accept.
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()

    return int(server.getsockname()[1]), stop


def drip_head(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not ended.wait(0.05):
        connection.sendall(b"X-A: b\r\n")


def drip_chunks(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b"1\r\nx\r\n")


def silence(_: socket.socket, ended: threading.Event) -> None:
    ended.wait(20)


@pytest.mark.parametrize("drip", [drip_head, drip_chunks, silence])
def test_the_total_deadline_holds(drip: Talk) -> None:
    port, stop = raw_server(drip)
    start = time.monotonic()
    try:
        request_policy = RequestPolicy(tries=1, timeout=30, deadline=0.5)
        with (
            HttpClient(AddressPolicy(loopback_only=True), "test", request_policy) as http,
            pytest.raises(ConnectorError),
        ):
            http.get(f"http://127.0.0.1:{port}/")
        # Without a deadline it would take 20 seconds or forever; 15 is a bound, not a measurement.
        assert time.monotonic() - start < 15
    finally:
        stop()


def test_what_is_asked_is_what_was_meant(clock: FakeClock) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Reply:
        seen.append(request.target)
        return Reply(404)

    with LoopbackServer(answer, clock=clock) as server:
        http = HttpClient(AddressPolicy(loopback_only=True), "test", RequestPolicy(tries=1))
        with http, pytest.raises(ConnectorError, match="would be sent as"):
            http.get(f"{server.url}/a/../b")
    assert seen == []


def test_a_fetch_of_what_is_not_in_the_table_sends_nothing() -> None:
    with wire() as dialled:
        response, seen = ask(
            lambda _: Reply(200), PackageRequest("oci:169.254.169.254", "x", ("1",))
        )
    assert (response.outcome, seen, dialled) == (Outcome.FORBIDDEN, [], [])
