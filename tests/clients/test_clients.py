"""Real clients read a served feed: the recorded registry, and entries that would break them."""

import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipelines.demo.clock import FakeClock
from pipelines.demo.registry import Row
from pipelines.refresh import publish
from serve.edition.base import LATEST
from serve.edition.edition import Edition
from tests.clients.install import HERE, NPM, PLACE, PYTHON, interpreter
from tests.support.deployments import make_deployment, server_json, upstream_server
from tests.support.feeds import NOW, served
from tests.support.shared import base_dump, missing, recorded_row, timeline

Key = tuple[str, str]
Json = dict[str, Any]
TEXT = "mcp-server"
PACKAGE: Json = {
    "registryType": "npm",
    "identifier": "x",
    "version": "1.0.0",
    "transport": {"type": "stdio"},
}
TALKATIVE = "copilot-language-server"
ALONE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "alone"]
"""Runs a command in a network of its own that has only a loopback."""
NEEDED = [*PYTHON, *(NPM if os.environ.get("SUBREGISTRY_CLIENTS") == "all" else ())]


def odd(name: str, **extra: Any) -> Row:  # members of a server.json
    server = server_json(f"io.example.odd/{name}", **extra)
    return Row(server, "active", NOW, NOW, None, is_latest=True)


ODD = [
    odd("empty-repository", repository={}),
    odd("null-repository", repository=None, packages=None, icons=None),
    odd("empty-description", description=""),
    odd("long-description", description="long " * 40),
    odd("format", packages=[PACKAGE | {"environmentVariables": [{"name": "A", "format": "int"}]}]),
    odd("default", packages=[PACKAGE | {"environmentVariables": [{"name": "A", "default": 7}]}]),
    odd("argument", packages=[PACKAGE | {"packageArguments": [{"type": "", "name": "a"}]}]),
    odd("latest", packages=[PACKAGE | {"version": "latest"}]),
    odd("icon", icons=[{"src": "data:," + "x" * 300, "mimeType": "image/odd"}]),
    odd("relative", remotes=[{"type": "sse", "url": "/sse"}, {"type": "odd", "url": "https://x"}]),
    odd(
        "publisher",
        _meta={
            "io.modelcontextprotocol.registry/publisher-provided": {
                "tool": {"name": "x"},
                "version": {"a": 1},
                "buildInfo": "text",
                "github": {"name": "x"},
            }
        },
    ),
]


@dataclass(frozen=True)
class Served:
    url: str
    edition: Edition

    def shown(self, *, latest: bool = False, text: str = "") -> list[Key]:
        """The keys that the edition shows, in its order."""
        keys = []
        for index in range(self.edition.count):
            name, version = self.edition.keys.pair(index)
            description = json.loads(self.edition.body(index))["server"]["description"]
            if (
                not self.edition.deleted(index)
                and (not latest or self.edition.arrays["flags"][index] & LATEST)
                and (text in name.lower() or text in description.lower())
            ):
                keys.append((name, version))
        return keys


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The recorded registry of 2025-11-30, with odd entries and deleted ones."""
    clock = FakeClock(NOW)
    with upstream_server(clock) as upstream:
        for recorded in [base_dump(), *(upserts for _, upserts in timeline())]:
            for entry in recorded:
                upstream.registry.put(recorded_row(entry))
        for row in ODD:
            upstream.registry.put(row)
        upstream.registry.publish(server_json("io.example.gone/x"), NOW)
        upstream.registry.set_status("io.example.gone/x", None, "deleted", "gone", NOW)
        deployment = make_deployment(tmp_path_factory.mktemp("home"), upstream, clock)
        deployment.pull()
        (mirror,) = deployment.policies("mirror")
        publish(deployment, mirror, report_step=lambda *_: None)
    edition = deployment.feed("mirror").current()
    assert edition is not None
    with served(deployment.settings.feed_root, ("mirror", "/feeds/mirror")) as client:
        yield Served(f"http://127.0.0.1:{client.port}/feeds/mirror", edition)


def drive(client: str, feed: Served, names: list[str]) -> Json:
    """Run a client; return what it lists, finds and looks up. Its exit code must be 0."""
    place, stem = PLACE / client, client.replace("-", "_")
    command: list[str | Path] = ["node", HERE / "drivers" / f"{stem}.mjs"]
    if client in PYTHON:
        command = [place / "bin" / "python", HERE / "drivers" / f"{stem}.py"]
    elif client == TALKATIVE:
        command = [*ALONE, *command]
    with relayed(feed.url) as socket_path:
        done = subprocess.run(
            [*command, feed.url, TEXT, *names],
            cwd=place,
            capture_output=True,
            text=True,
            timeout=120,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(place),
                "PYTHONSAFEPATH": "1",  # a driver has the name of the package that it imports
                "RELAY": socket_path,
            },
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: Json = json.loads(done.stdout)
    return answers


@contextmanager
def relayed(url: str) -> Iterator[str]:
    """A UNIX socket that leads to a server, for a client in its own network."""
    address = urlsplit(url)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((address.hostname, address.port)) as server:
                back = threading.Thread(target=copy, args=(server, self.request))
                back.start()
                copy(self.request, server)
                back.join()

    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        path = f"{folder}/socket"
        with socketserver.ThreadingUnixStreamServer(path, Relay) as relay:
            thread = threading.Thread(target=relay.serve_forever)
            thread.start()
            try:
                yield path
            finally:
                relay.shutdown()
                thread.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        # Close one direction only: the other one may still carry data.
        target.shutdown(socket.SHUT_WR)


def require_client(client: str) -> None:
    if client in PYTHON and interpreter(PYTHON[client]) is None:
        pytest.skip(f"{client} needs Python {PYTHON[client]}")
    if client in NPM and shutil.which("npm") is None:
        pytest.skip(f"{client} needs npm")
    if client == TALKATIVE and subprocess.run([*ALONE, "true"], check=False).returncode:
        pytest.skip(f"{client} needs a network of its own, which unshare does not give here")
    if not (PLACE / client).exists():
        missing(f"{client} is not installed: run make test-clients")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("client", NEEDED)
def test_a_real_client_reads_the_feed(feed: Served, client: str) -> None:
    require_client(client)
    latest = dict(feed.shown(latest=True))
    there = ["io.example.odd/format", "io.example.odd/publisher", sorted(latest)[7]]
    there.append(next(name for name in sorted(latest) if name != name.lower()))
    answers = drive(client, feed, [*there, "io.example.gone/x", "io.example.none/x"])
    lookups = answers["lookups"]
    assert {name: lookups[name] for name in there} == {name: latest[name] for name in there}
    assert lookups["io.example.gone/x"] is None
    assert lookups["io.example.none/x"] is None
    listed, matched = ([tuple(key) for key in answers[kind]] for kind in ("listed", "found"))
    assert len(listed) == len(set(listed))
    if client in NPM:
        assert listed == feed.shown(latest=True)
        assert matched == feed.shown(latest=True, text=TEXT)
    elif client == "mcp-lookup":
        assert listed == feed.shown()[:100]
        assert matched == feed.shown(text=TEXT)[: len(matched)]
        assert matched
    elif client == "mcp-registry-cli":
        assert listed == feed.shown()
        assert set(matched) <= set(listed)
        assert {key for key in feed.shown() if TEXT in key[0]} <= set(matched)
    else:
        assert listed == feed.shown()
        assert matched == feed.shown(text=TEXT)
