"""The HTTP client against a server that misbehaves."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import (
    AddressRefused,
    BodyRefused,
    ConnectorError,
    RateLimited,
    ServerTrouble,
    UnexpectedStatus,
    Unreachable,
)
from connectors.http.answers import retry_after
from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from pipelines.demo.loopback import LoopbackServer, Reply, Request


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[str]:
    with LoopbackServer(answer, clock=lambda: datetime.now(UTC)) as server:
        yield server.url


def test_a_transient_status_is_retried_and_an_answer_ends_it(http: HttpClient) -> None:
    replies = [Reply(503, b"<html>busy</html>"), Reply(429, b"slow"), Reply(200, b"ok")]
    with serving(lambda _: replies.pop(0)) as url:
        assert http.get(url).body == b"ok"
    assert http.requests == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (502, ServerTrouble), (404, UnexpectedStatus)]
)
def test_a_status_that_stays_is_an_error_that_says_what_was_answered(
    http: HttpClient, status: int, kind: type[ConnectorError]
) -> None:
    with (
        serving(lambda _: Reply(status, b"<html>no</html>")) as url,
        pytest.raises(kind, match=f"answered {status}: <html>no"),
    ):
        http.get(url)
    assert http.requests == (3 if kind is not UnexpectedStatus else 1)


def test_the_wait_that_was_asked_for_is_kept() -> None:
    waits: list[float] = []
    replies = [Reply(429, b"", {"Retry-After": "17"}), Reply(200, b"ok")]
    policy = AddressPolicy(loopback_only=True)
    with (
        serving(lambda _: replies.pop(0)) as url,
        HttpClient(policy, "test", RequestPolicy(rate=0), sleep=waits.append) as http,
    ):
        http.get(url)
    assert waits == [17.0]


def test_both_forms_of_retry_after_are_read() -> None:
    later = (datetime.now(UTC) + timedelta(seconds=50)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after({"retry-after": "3"}) == 3.0
    assert 45 < (retry_after({"retry-after": later}) or 0) <= 50
    assert 45 < (retry_after({"x-retry-after": str(int(time.time()) + 50)}) or 0) <= 50
    assert retry_after({"retry-after": "soon"}) is None


def test_a_gzip_bomb_is_cut(http: HttpClient) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    with (
        serving(lambda _: Reply(200, bomb, {"Content-Encoding": "gzip"})) as url,
        pytest.raises(BodyRefused, match="bomb"),
    ):
        http.get(url, cap=1 << 40)


def test_a_large_body_is_cut_at_the_cap(http: HttpClient) -> None:
    with serving(lambda _: Reply(200, b"x" * 10_000)) as url:
        assert len(http.get(url, cap=10_000).body) == 10_000
        with pytest.raises(BodyRefused, match="more than 9999 bytes"):
            http.get(url, cap=9_999)


def test_truncated_gzip_is_trouble_and_not_an_end(http: HttpClient) -> None:
    compressed = gzip.compress(b"x" * 10_000)
    with (
        serving(lambda _: Reply(200, compressed[:-9], {"Content-Encoding": "gzip"})) as url,
        pytest.raises(Unreachable, match="ends too early"),
    ):
        http.get(url)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "169.254.169.254", "example.org"])
def test_offline_dials_loopback_only(http: HttpClient, host: str) -> None:
    with pytest.raises(AddressRefused, match="SUBREGISTRY_OFFLINE"):
        http.get(f"http://{host}/")


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.2.3", True),
        ("169.254.169.254", True),
        ("168.63.129.16", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
        ("224.0.0.1", True),
        ("192.0.0.8", True),
        ("192.88.99.1", True),
        ("fec0::1", True),
        ("5f00::1", True),
        ("3fff::1", True),
        ("::ffff:0:10.0.0.1", True),
        ("0.0.0.0", True),
        ("93.184.216.34", False),
        ("2606:2800:220:1::1", False),
    ],
)
def test_data_cannot_steer_a_dial_to_an_inside_address(address: str, refused: bool) -> None:
    policy = AddressPolicy(operator_hosts=frozenset({"mirror.internal"}))
    assert (policy.refusal("registry.example", address) is not None) == refused
    assert policy.refusal("mirror.internal", "10.1.2.3") is None
    assert policy.refusal("mirror.internal", "169.254.169.254") is not None


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/a/%2e%2e/../b"])
def test_a_path_that_would_be_sent_as_another_is_not_asked(http: HttpClient, path: str) -> None:
    with pytest.raises(ConnectorError, match="would be sent as"):
        http.get(f"http://127.0.0.1:1{path}")


def test_a_redirect_is_not_followed(http: HttpClient) -> None:
    with (
        serving(lambda _: Reply(302, b"", {"Location": "http://169.254.169.254/"})) as url,
        pytest.raises(UnexpectedStatus, match="302"),
    ):
        http.get(url)


def test_a_drip_is_cut_at_the_total_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not ended.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        request_policy = RequestPolicy(rate=0, tries=1, timeout=30, deadline=0.4)
        try:
            with (
                HttpClient(AddressPolicy(loopback_only=True), "test", request_policy) as http,
                pytest.raises(Unreachable, match="did not answer"),
            ):
                http.get(f"http://127.0.0.1:{server.getsockname()[1]}/")
        finally:
            ended.set()
            thread.join()


def test_requests_are_paced() -> None:
    waits: list[float] = []
    policy = AddressPolicy(loopback_only=True)
    with (
        serving(lambda _: Reply(200, b"")) as url,
        HttpClient(policy, "test", RequestPolicy(rate=0.5), sleep=waits.append) as http,
    ):
        for _ in range(3):
            http.get(url)
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]
