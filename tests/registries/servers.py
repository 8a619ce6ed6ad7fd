"""Real package registries on loopback, started for a test and stopped with it."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.registries.install import VERDACCIO
from tests.shared import missing

Json = dict[str, Any]  # a registry's document


def require(*programs: str | Path) -> None:
    """Skip with a reason where a program is missing; in CI that is a failure."""
    for program in programs:
        if shutil.which(program) is None:
            missing(f"{program} is not installed (python -m tests.registries.install, apt)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str | Path], url: str, log: Path, **options: Any) -> Iterator[str]:
    """A server process until the block ends; waits until its URL answers anything."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, **options)
    try:
        end = time.monotonic() + 60
        while not answers(url):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, f"{command[0]} did not start: {log.read_text()[-2000:]}"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        send("GET", url)
    except OSError:
        return False
    return True


def send(
    method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request to a server of ours."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, parts.path or "/", body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


_VERDACCIO = """
storage: {folder}/storage
auth:
  htpasswd:
    file: {folder}/htpasswd
    max_users: 10
uplinks: {{}}
packages:
  "**":
    access: $all
    publish: $authenticated
    unpublish: $authenticated
log: {{type: stdout, format: pretty, level: warn}}
"""


@dataclass
class Npm:
    """A verdaccio, and npm as its publishers use it."""

    url: str
    folder: Path
    tokens: dict[str, str]

    def user(self, name: str) -> None:
        document = {"name": name, "password": f"secret-{name}", "email": f"{name}@mail.example"}
        place = f"{self.url}/-/user/org.couchdb.user:{name}"
        status, body = send(
            "PUT", place, json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        assert status == 201, body
        self.tokens[name] = json.loads(body)["token"]

    def npm(self, *arguments: str, user: str = "ann", cwd: Path | None = None) -> str:
        configuration = self.folder / f"npmrc-{user}"
        host = self.url.removeprefix("http:")
        configuration.write_text(
            f"registry={self.url}/\n{host}/:_authToken={self.tokens[user]}\n"
            "update-notifier=false\naudit=false\nfund=false\n"
        )
        done = subprocess.run(
            ["npm", *arguments],
            cwd=cwd or self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "npm_config_userconfig": str(configuration),
                "npm_config_cache": str(self.folder / "cache"),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def publish(self, name: str, version: str, *, user: str = "ann", **fields: Any) -> None:
        place = Path(tempfile.mkdtemp(dir=self.folder))
        (place / "package.json").write_text(json.dumps({"name": name, "version": version} | fields))
        (place / "index.js").write_text(f"// {version} of {user}\n")
        tag = ["--tag", "next"] if "-" in version else []
        self.npm("publish", "--access", "public", *tag, user=user, cwd=place)


@contextmanager
def verdaccio(folder: Path) -> Iterator[Npm]:
    """verdaccio without any upstream of its own, and two users."""
    require(VERDACCIO, "npm")
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(_VERDACCIO.format(folder=folder))
    command: list[str | Path] = [VERDACCIO, "-c", folder / "config.yaml"]
    url = f"http://127.0.0.1:{port}"
    with running([*command, "-l", f"127.0.0.1:{port}"], url, folder / "log"):
        found = Npm(url, folder, {})
        found.user("ann")
        found.user("bob")
        yield found
