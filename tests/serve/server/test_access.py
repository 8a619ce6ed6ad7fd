"""Keys, limits, bounds and the access log of a served feed."""

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipelines.server import listen, serving_app
from serve.errors import KeyUnknown
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from serve.server.access import AccessControl
from serve.server.accesslog import open_log
from serve.server.app import App, build_app
from serve.server.live_editions import LiveEditions
from serve.server.protocol import MAX_HEAD
from tests.support.feeds import NOW, Client, entry, publish, served_app

HOUR = timedelta(hours=1)
OPEN = ServedFeed("default", "Default", "/")
LOCKED = ServedFeed("team", "Team", "/feeds/team", access="key")
HIDDEN = ServedFeed("quiet", "Quiet", "/feeds/quiet", access="unlisted")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for feed in (OPEN, LOCKED, HIDDEN):
        publish(Feed(tmp_path, feed.name), [entry("a.b/one")], "e1")
    return tmp_path


@contextmanager
def serving(root: Path, *, per_minute: int = 0) -> Iterator[Client]:
    feeds = [OPEN, LOCKED, HIDDEN]
    app = build_app(root, feeds, skew=60, per_minute=per_minute, site="https://mcp.example.org/")
    with served_app(app) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_locked_feed_needs_a_key_that_is_not_revoked(root: Path) -> None:
    keys = Feed(root, "team").keys
    first, second = keys.add("ci", now=NOW), keys.add("laptop", now=NOW)
    with serving(root) as client:
        target = "/feeds/team/v0.1/servers"
        for headers in ({}, bearer("sr_0_x"), bearer(""), {"Authorization": f"Basic {first}"}):
            status, received, body = client.ask(target, headers=headers)
            assert (status, received["www-authenticate"]) == (401, "Bearer")
            assert received["access-control-allow-origin"] == "*"
            assert json.loads(body)["error"] == json.loads(body)["detail"]
        assert client.ask(target, headers=bearer(first))[0] == 200
        assert client.ask(target, headers={"authorization": f"bearer  {second}"})[0] == 200
        keys.revoke(keys.all()[0].id)
        assert client.ask(target, headers=bearer(first))[0] == 401
        assert client.ask(target, headers=bearer(second))[0] == 200
        for open_ in ("/feeds/team/ping", "/feeds/team/v0.1/health", "/v0.1/servers"):
            assert client.ask(open_)[0] == 200
        for locked in ("openapi.json", "explain/a.b/one", "changes", "editions", "registry.json"):
            assert client.ask(f"/feeds/team/{locked}")[0] == 401
        assert client.ask(target, method="OPTIONS")[0] == 204
        assert client.ask("/v0.1/servers", headers=bearer("whatever"))[0] == 200


def test_a_server_that_is_called_ping_needs_a_key_too(root: Path) -> None:
    publish(Feed(root, "team"), [entry("a.b/ping"), entry("a.b/health")], "e2", now=NOW + HOUR)
    with serving(root) as client:
        for path in (
            "v0.1/servers/a.b/health",
            "servers/a.b/ping?raw=true",
            "explain/a.b/ping",
            "nothing/ping",
            "v0.1/v0/ping",
        ):
            assert client.ask(f"/feeds/team/{path}")[0] == 401, path
        for path in ("ping", "v0/ping", "v0.1/health", "//health/"):
            assert client.ask(f"/feeds/team/{path}")[0] == 200, path


def test_a_key_of_one_feed_opens_no_other(root: Path) -> None:
    token = Feed(root, "default").keys.add("other", now=NOW)
    with serving(root) as client:
        assert client.ask("/feeds/team/v0.1/servers", headers=bearer(token))[0] == 401


def test_tokens_are_not_kept(root: Path) -> None:
    feed = Feed(root, "team")
    token = feed.keys.add("ci", now=NOW)
    assert token not in (feed.folder / "keys.json").read_text()
    with pytest.raises(KeyUnknown, match="no key 123"):
        feed.keys.revoke("123")


def test_keys_that_cannot_be_read_let_nobody_in(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(root, "team")
    token = feed.keys.add("ci", now=NOW)
    (feed.folder / "keys.json").write_text("[{]")
    with serving(root) as client:
        answer = client.ask("/feeds/team/v0.1/servers", headers=bearer(token))
    assert answer[0] == 503
    # The reason names a file, which is for the operator.
    assert b"its operator finds the reason in the log" in answer[2]
    assert str(root).encode() not in answer[2]
    assert "nobody is let in" in caplog.text


def test_the_home_page_lists_what_is_open(root: Path) -> None:
    with serving(root) as client:
        status, _, body = client.ask("/")
    assert status == 200
    assert b"Default" in body
    assert b"Team" not in body
    assert b"Quiet" not in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "//", 200),
        ("HEAD", "///", 200),
        ("POST", "/", 405),
        ("PATCH", "//", 405),
        ("OPTIONS", "/", 204),
        ("OPTIONS", "//", 204),
        ("GET", "/nothing", 404),
    ],
)
def test_there_is_an_answer_with_cors_at_the_root(
    root: Path, method: str, path: str, status: int
) -> None:
    stores = [LiveEditions(root, HIDDEN)]  # no feed at the root
    with served_app(App(stores, skew=0)) as client:
        actual, headers, _ = client.ask(path, method=method)
        assert (actual, headers["access-control-allow-origin"]) == (status, "*")


def test_links_name_the_public_address(root: Path) -> None:
    with serving(root) as client:
        json_feed = client.json("/feeds/quiet/changes/feed.json")
    assert json_feed["feed_url"] == "https://mcp.example.org/feeds/quiet/changes/feed.json"


def test_a_client_that_asks_too_often_is_told_when_to_come_back(root: Path) -> None:
    keys = Feed(root, "team").keys
    tokens = [keys.add(label, now=NOW) for label in ("one", "two")]
    with serving(root, per_minute=5) as client:
        for target, headers in (
            ("/v0.1/servers", {}),
            ("/feeds/team/v0.1/servers", bearer(tokens[0])),
            ("/feeds/team/v0.1/servers", bearer(tokens[1])),
        ):
            answers = [client.ask(target, headers=headers) for _ in range(7)]
            assert [status for status, *_ in answers] == [200] * 5 + [429] * 2
            _, last_headers, body = answers[-1]
            assert 1 <= int(last_headers["retry-after"]) <= 60
            assert "more than 5 requests" in json.loads(body)["detail"]


def test_wrong_keys_count_and_all_feeds_together(root: Path) -> None:
    Feed(root, "team").keys.add("ci", now=NOW)
    with serving(root, per_minute=5) as client:
        guesses = [
            client.ask("/feeds/team/v0.1/servers", headers=bearer(f"sr_00000000_{number}"))[0]
            for number in range(7)
        ]
        assert guesses == [401] * 5 + [429] * 2
        assert client.ask("/v0.1/servers")[0] == 429


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "::ffff:10.9.9.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("unix", "unix", True),
    ],
)
def test_a_client_is_an_address_or_a_site(root: Path, one: str, other: str, same: bool) -> None:
    guard = AccessControl(root, per_minute=1)
    assert guard.admit(OPEN, b"/v0.1/servers", {}, one) == (None, None)
    _, refused = guard.admit(OPEN, b"/v0.1/servers", {}, other)
    assert (refused is not None) == same


def test_headers_are_bounded(root: Path) -> None:
    with serving(root) as client:
        status, headers, body = client.ask("/v0.1/servers", headers={"X-Long": "x" * 33_000})
        assert (status, headers["access-control-allow-origin"]) == (431, "*")
        assert "32768 bytes" in json.loads(body)["detail"]
        assert client.ask("/v0.1/servers", headers={"X-Long": "x" * 20_000})[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v0.1/servers?search=" + b"x" * 2_000_000, 431),
        (b"GET / HTTP/1.1\r\nX-A: " + b"x" * 2_000_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X-A: x\r\n" * 200_000, 431),
        (b"GET / HTTP/9.9.9\r\n\r\n", 400),
        (b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n", 400),
        (b"GET /v0.1/servers/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /v0.1/servers?search=\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"BREW /v0.1/servers HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PROPFIND /v0.1/servers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405),
    ],
)
def test_whatever_bytes_come_nobody_gets_a_5xx_or_the_memory(
    root: Path, head: bytes, status: int
) -> None:
    with serving(root) as client, socket.create_connection(("127.0.0.1", client.port)) as sock:
        sock.settimeout(10)
        answer = b""
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(head)
        with suppress(ConnectionResetError):
            while piece := sock.recv(65_536):
                answer += piece
        if answer:  # a server that closes while we still send may lose its answer
            assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
            assert b"access-control-allow-origin: *" in answer.lower()
        else:
            assert len(head) > MAX_HEAD
        assert client.ask("/ping")[0] == 200


def test_trailers_without_end_are_cut_off(root: Path) -> None:
    head = b"GET /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with serving(root) as client, socket.create_connection(("127.0.0.1", client.port)) as sock:
        sock.settimeout(10)
        sock.sendall(head)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            sock.sendall(b"X-A: xxxxxxxxxxxx\r\n" * 2_000_000)
        assert client.ask("/ping")[0] == 200


def test_a_body_that_comes_with_a_get_is_left_alone(root: Path) -> None:
    with serving(root) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
        for _ in range(3):
            connection.request("GET", "/ping", body=b"x" * 100_000)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"pong":true}\n')
        connection.close()


def test_requests_are_logged_without_what_is_secret(root: Path, tmp_path: Path) -> None:
    token = Feed(root, "team").keys.add("ci", now=NOW)
    path = tmp_path / "access.log"
    open_log(str(path))
    try:
        with serving(root) as client:
            headers = bearer(token) | {"User-Agent": 'test"}', "Cookie": "c=1"}
            client.ask(f"/feeds/team/v0.1/servers?limit=1&token={token}", headers=headers)
            client.ask("/v0.1/servers/a.b%2Fnone")
            client.ask(f"/v0.1/servers?search={token}")
            encoded = "".join(f"%25{ord(char):02x}" for char in token)
            client.ask(f"/v0.1/{encoded}")
            path.rename(tmp_path / "access.log.1")
            client.ask("/ping")
    finally:
        handlers = logging.getLogger("subregistry.access").handlers
        handlers.pop().close()
    lines = (tmp_path / "access.log.1").read_text().splitlines() + path.read_text().splitlines()
    assert token not in unquote(unquote("".join(lines)))
    first, second, misplaced, hidden, third = map(json.loads, lines)
    assert hidden["path"] == "/v0.1/sr_…"
    assert misplaced["query"] == {"search": "sr_…"}
    assert (first["feed"], first["status"], first["query"]) == ("team", 200, {"limit": "1"})
    assert first["key"] == Feed(root, "team").keys.all()[0].id
    assert first["agent"] == 'test"}'
    assert (second["path"], second["status"], second["key"]) == (
        "/v0.1/servers/a.b%2Fnone",
        404,
        None,
    )
    assert first["client"] == "127.0.0.1"
    assert third["path"] == "/ping"
    assert set(first) == {
        *("at", "feed", "method", "path", "query", "status", "bytes", "ms", "client", "key"),
        "agent",
    }


def test_a_defect_is_told_in_json_and_logged(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = App([LiveEditions(root, OPEN)], skew=0)
    monkeypatch.setattr(app._api, "answer", lambda *_: 1 / 0)
    sock = listen("127.0.0.1", 0)
    with serving_app(app, sock):
        status, headers, body = Client(sock.getsockname()[1]).ask("/v0.1/servers")
    assert (status, headers["access-control-allow-origin"]) == (500, "*")
    assert json.loads(body)["title"] == "Internal Server Error"
    assert "ZeroDivisionError" in caplog.text
