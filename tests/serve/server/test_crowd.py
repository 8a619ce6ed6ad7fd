"""Many connections that ask nothing: they end, one address has a share, and watchers are heard."""

import socket
from contextlib import ExitStack

import pytest

from serve.feed.feed import Feed
from serve.server import crowd, protocol
from serve.server.crowd import counted_as
from serve.server.protocol import BoundedProtocol
from tests.support.feeds import Client, application, running


def connected(stack: ExitStack, client: Client) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", client.port), timeout=10)
    return stack.enter_context(sock)


def test_who_asks_nothing_is_let_go_and_who_asked_may_stay(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CHECK_EVERY", 0.1)
    monkeypatch.setattr(protocol, "PATIENCE", 0.3)
    with running(application(feed), BoundedProtocol) as client, ExitStack() as stack:
        asked, idle = connected(stack, client), connected(stack, client)
        request = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
        asked.sendall(request)
        assert asked.recv(4096).startswith(b"HTTP/1.1 200")
        assert idle.recv(4096) == b""
        asked.sendall(request)
        assert asked.recv(4096).startswith(b"HTTP/1.1 200")


def test_one_address_has_its_share_and_no_more(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_OF_ONE", 5)
    monkeypatch.setattr(crowd, "is_loopback", lambda _: False)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")
    counted_as.cache_clear()
    with running(application(feed), BoundedProtocol) as client:
        with ExitStack() as stack:
            for _ in range(5):
                sock = connected(stack, client)
                sock.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
                assert sock.recv(4096).startswith(b"HTTP/1.1 200")
            refused = b""
            sixth = connected(stack, client)
            while part := sixth.recv(4096):
                refused += part
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"your address has 256 connections" not in refused
            assert b"your address has 5 connections already" in refused
        client.until(lambda: client.ask("/ping")[0] == 200)
    counted_as.cache_clear()
    assert not crowd._connections


def test_watchers_are_heard_beyond_the_cap(feed: Feed) -> None:
    """4,150 idle connections made /ping and /health answer 503."""
    with running(application(feed), BoundedProtocol, most=100) as client, ExitStack() as stack:
        for _ in range(150):
            connected(stack, client)
        client.until(lambda: client.ask("/openapi.json")[0] == 503)
        for path in ("/ping", "/v0.1/health", "/health?x=1"):
            assert client.ask(path)[0] == 200
        for path in ("/openapi.json?x=/ping", "/explain/a.b/health", "/v0.1/explain/a/ping"):
            assert client.ask(path)[0] == 503, path


@pytest.mark.parametrize(
    ("host", "trusted", "name"),
    [
        ("192.0.2.7", "127.0.0.1", "192.0.2.7"),
        ("::ffff:192.0.2.7", "127.0.0.1", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "", "2001:db8::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("127.0.0.2", "", None),
        ("::1", "", None),
        ("192.0.2.7", "10.0.0.1, 192.0.2.0/24", None),
        ("192.0.2.7", "*", None),
        ("192.0.2.7", "proxy.example", "192.0.2.7"),
        ("/run/socket", "", None),
        ("::ffff:127.0.0.1", "10.0.0.5", None),
        ("2001:db8:0:1::bad", "2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::5", "2001:db8:0:1::5", None),
    ],
)
def test_who_is_counted_as_whom(host: str, trusted: str, name: str | None) -> None:
    assert counted_as(host, trusted) == name
