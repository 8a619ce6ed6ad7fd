"""Private mirrors: their own TLS, credentials bound to their host, proxies."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from connectors.errors import ConnectorError
from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.http.routes import Route
from connectors.origins import Origins, OriginSettings
from enrich.ecosystems import ECOSYSTEMS
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from tests.line.profiling.test_profile import claim
from tests.support.deployments import START, Upstream, make_deployment

LOOPBACK = AddressPolicy(loopback_only=True)


@contextmanager
def tls_server(ca: trustme.CA, name: str = "127.0.0.1") -> Iterator[str]:
    """Answer each HTTPS request with `ok` and its Authorization header."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    listener, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                raw, _ = listener.accept()
                with raw, context.wrap_socket(raw, server_side=True) as connection:
                    head = connection.recv(65536).decode().lower()
                    lines = head.split("\r\n")
                    credentials = [line for line in lines if line.startswith("authorization:")]
                    body = "|".join(["ok", *credentials]).encode()
                    start = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                    connection.sendall(f"{start}Connection: close\r\n\r\n".encode() + body)
            except (OSError, ValueError):
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        # close alone does not wake a thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def route(settings: OriginSettings, origin: str = "npm") -> tuple[Route, str]:
    table = Origins(
        {kind: ecosystem.connector.origin for kind, ecosystem in ECOSYSTEMS.items()},
        {origin: settings},
    )
    resolved = table.find(origin)
    assert resolved is not None
    return table.route(resolved), resolved.url


def test_a_mirror_is_trusted_by_its_own_ca_and_by_no_other(tmp_path: Path) -> None:
    ca, bundle = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    secret = tmp_path / "token"
    secret.write_text("t0ken\n")
    with tls_server(ca) as url:
        ours, base = route(OriginSettings(url=url, ca_bundle=bundle, token_file=secret))
        with HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=ours) as http:
            assert http.get(f"{base}/x").body == b"ok|authorization: bearer t0ken"
        strange, _ = route(OriginSettings(url=url))
        with (
            HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=strange) as http,
            pytest.raises(ConnectorError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            http.get(f"{url}/x")
    with tls_server(ca, "mirror.example") as url:
        wrong_name, _ = route(OriginSettings(url=url, ca_bundle=bundle))
        with (
            HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=wrong_name) as http,
            pytest.raises(ConnectorError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            http.get(f"{url}/x")


@contextmanager
def listening(
    clock: FakeClock, answer: Callable[[Request], Reply] | None = None
) -> Iterator[tuple[str, list[Request]]]:
    seen: list[Request] = []

    def hear(request: Request) -> Reply:
        seen.append(request)
        return answer(request) if answer else Reply(200, b"{}")

    with LoopbackServer(hear, clock=clock) as server:
        yield server.url, seen


def test_credentials_go_to_their_host_and_port_only(clock: FakeClock) -> None:
    with listening(clock) as (mirror, mirror_seen), listening(clock) as (elsewhere, elsewhere_seen):
        ours, _ = route(OriginSettings(url=mirror, username="me", password="secret"))
        with HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=ours) as http:
            http.get(f"{mirror}/x")
            http.get(f"{elsewhere}/x")
            http.get(f"{mirror.replace('127.0.0.1', 'localhost')}/x")
    assert [request.headers.get("authorization") for request in mirror_seen] == [
        "Basic bWU6c2VjcmV0",
        None,
    ]
    assert [request.headers.get("authorization") for request in elsewhere_seen] == [None]


def test_hub_credentials_go_to_its_token_service_and_never_to_its_registry() -> None:
    hub_route, base = route(OriginSettings(username="me", password="secret"), "oci:docker.io")
    assert base == "https://registry-1.docker.io"
    assert list(hub_route.authorization) == ["https://auth.docker.io"]


def test_a_proxy_is_asked_for_everything_with_its_own_credentials(clock: FakeClock) -> None:
    with listening(clock) as (proxy, seen):
        address = proxy.replace("http://", "http://me:p%40ss@")
        settings = OriginSettings(url="http://127.0.0.1:1/npm", proxy=address, token="t0ken")
        proxied, base = route(settings)
        with HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=proxied) as http:
            assert http.get(f"{base}/left-pad").status == 200
    (request,) = seen
    assert request.target == "http://127.0.0.1:1/npm/left-pad"
    assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
    assert request.headers["authorization"] == "Bearer t0ken"


def test_a_tunnel_through_a_proxy_keeps_the_secret_of_the_mirror(tmp_path: Path) -> None:
    ca, bundle = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    heads: list[bytes] = []
    with tls_server(ca) as url, tunnel(heads) as proxy:
        tunneled, base = route(
            OriginSettings(url=url, ca_bundle=bundle, proxy=proxy, token="t0ken")
        )
        with HttpClient(LOOPBACK, "test", RequestPolicy(tries=1), route=tunneled) as http:
            assert http.get(f"{base}/x").body == b"ok|authorization: bearer t0ken"
    (head,) = heads
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"t0ken" not in head


@contextmanager
def tunnel(heads: list[bytes]) -> Iterator[str]:
    """A proxy for one CONNECT; it keeps the head that it received."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            head = client.recv(65536)
            heads.append(head)
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as target:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=copy, args=(target, client))
                back.start()
                copy(client, target)
                back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join()


def test_a_secret_is_neither_shown_nor_stored(
    tmp_path: Path, upstream: Upstream, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with listening(clock, lambda _: Reply(500, b"oops")) as (url, _):
        settings = {"url": url, "username": "me", "password": "s3cr3t-word"}
        home = tmp_path / "home"
        deployment = make_deployment(home, upstream, clock, origins={"npm": settings})
        claim(upstream, "a.b/one", "npm", "one", "1.0.0")
        deployment.pull()
        report = deployment.profile()
        clock.move_to(START + timedelta(days=2))
        output = f"{deployment.settings!r} {report!r} {caplog.text}"
    assert "s3cr3t-word" not in output
    assert "czNjcjN0" not in output, "nor as base64"
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"s3cr3t-word" not in stored


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "https://me:secret@mirror.example"}, "fields of their own"),
        ({"url": "ftp://mirror.example"}, "write https"),
        ({"url": "http://10.0.0.1"}, "loopback"),
        ({"token": "a", "token_file": "b"}, "give one of"),
        ({"username": "a"}, "belong together"),
        ({"proxy": "mirror.example:3128"}, "USER:PASSWORD"),
        ({"urls": "x"}, "Extra inputs"),
        ({"index": "../x"}, "write a path"),
    ],
)
def test_wrong_words_about_an_origin_are_told_without_the_secret(
    settings: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        OriginSettings.model_validate(settings)
    assert "me:secret" not in str(caught.value)
