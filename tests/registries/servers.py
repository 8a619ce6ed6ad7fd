"""Real package registries on loopback; a test starts and stops them."""

import base64
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import trustme

from pipelines.demo.loopback import LoopbackServer, Reply, Request
from tests.registries.install import DEVPI, VERDACCIO
from tests.support.shared import missing

Json = dict[str, Any]  # a registry's document


def require(*programs: str | Path) -> None:
    """Skip with a reason if a program is missing; in CI, fail."""
    for program in programs:
        if shutil.which(program) is None:
            missing(f"{program} is not installed (python -m tests.registries.install, apt)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str | Path], url: str, log: Path, **options: Any) -> Iterator[str]:
    """Run a server process until the block ends; wait until its URL answers anything."""
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
    """Send one request to one of our servers."""
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
    """A verdaccio server, and npm as its publishers use it."""

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
        # A prerelease must not become the latest version.
        tag = ["--tag", "next"] if "-" in version else []
        self.npm("publish", "--access", "public", *tag, user=user, cwd=place)


@contextmanager
def verdaccio(folder: Path) -> Iterator[Npm]:
    """Run verdaccio with two users and without an upstream."""
    require(VERDACCIO, "npm")
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(_VERDACCIO.format(folder=folder))
    command: list[str | Path] = [VERDACCIO, "-c", folder / "config.yaml"]
    url = f"http://127.0.0.1:{port}"
    with running([*command, "-l", f"127.0.0.1:{port}"], url, folder / "log"):
        registry = Npm(url, folder, {})
        registry.user("ann")
        registry.user("bob")
        yield registry


_DOCKER_REGISTRY = """
version: 0.1
storage:
  filesystem: {{rootdirectory: {folder}/storage}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
auth:
  token:
    realm: {realm}/token
    service: images
    issuer: tests
    rootcertbundle: {folder}/ca.pem
log: {{level: warn}}
"""


@dataclass
class Tokens:
    """The token service of an image registry: who may pull what. Publishers have a password."""

    key: bytes
    certificate: str
    private: set[str] = field(default_factory=set)
    asked: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        query = parse_qs(urlsplit(request.target).query)
        # A scope is KIND:NAME:ACTIONS.
        kind, _, rest = query.get("scope", [":"])[0].partition(":")
        name, _, actions = rest.rpartition(":")
        known = request.headers.get("authorization") == basic("publisher", "secret")
        if "authorization" in request.headers and not known:
            return Reply(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}')
        allowed = actions.split(",") if known else ["pull"]
        if not known and name in self.private:
            return Reply(403, b'{"errors":[{"code":"DENIED"}]}')
        now = int(time.time())
        claims = {
            "iss": "tests",
            "aud": "images",
            "sub": "",
            "iat": now - 10,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": str(len(self.asked)),
            "access": [{"type": kind, "name": name, "actions": allowed}],
        }
        token = jwt.encode(claims, self.key, "RS256", headers={"x5c": [self.certificate]})
        return Reply(200, json.dumps({"token": token, "expires_in": 300}).encode())


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@dataclass
class Images:
    """A docker-registry, with umoci and skopeo as its publishers use them."""

    url: str
    realm: str
    folder: Path
    tokens: Tokens

    def push(self, reference: str, labels: dict[str, str], command: str = "/bin/true") -> None:
        """Make an image without layers and push it as NAME:TAG."""
        layout = Path(tempfile.mkdtemp(dir=self.folder)) / "image"
        run("umoci", "init", "--layout", layout)
        run("umoci", "new", "--image", f"{layout}:made")
        options = [f"--config.label={key}={value}" for key, value in labels.items()]
        run(
            "umoci",
            "config",
            "--image",
            f"{layout}:made",
            *options,
            "--config.cmd",
            command,
            "--os=linux",
            "--architecture=amd64",
        )
        host = self.url.removeprefix("http://")
        run(
            "skopeo",
            "--insecure-policy",
            "copy",
            "--dest-tls-verify=false",
            "--dest-creds=publisher:secret",
            f"oci:{layout}:made",
            f"docker://{host}/{reference}",
        )

    def delete(self, reference: str) -> None:
        host = self.url.removeprefix("http://")
        run(
            "skopeo",
            "--insecure-policy",
            "delete",
            "--tls-verify=false",
            "--creds=publisher:secret",
            f"docker://{host}/{reference}",
        )

    def manifest(self, name: str, reference: str) -> tuple[str, Json]:
        """Digest and content of a manifest."""
        media = "application/vnd.oci.image.manifest.v1+json"
        status, body = self._send("GET", name, reference, b"", {"Accept": media})
        assert status == 200, body
        return f"sha256:{hashlib.sha256(body).hexdigest()}", json.loads(body)

    def put_index(self, name: str, reference: str, manifests: list[Json]) -> None:
        """Push an index of manifests that the registry already has."""
        media = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": media, "manifests": manifests}
        body = json.dumps(index).encode()
        status, answer = self._send("PUT", name, reference, body, {"Content-Type": media})
        assert status == 201, answer

    def _send(
        self, method: str, name: str, reference: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        request = Request(
            "GET",
            f"/token?service=images&scope=repository:{name}:pull,push",
            {"authorization": basic("publisher", "secret")},
        )
        token = json.loads(self.tokens.answer(request).body)["token"]
        headers = headers | {"Authorization": f"Bearer {token}"}
        return send(method, f"{self.url}/v2/{name}/manifests/{reference}", body, headers)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@contextmanager
def docker_registry(folder: Path) -> Iterator[Images]:
    """Run Debian's docker-registry behind a token service whose tokens it checks."""
    require("docker-registry", "skopeo", "umoci")
    folder.mkdir(parents=True)
    ca = trustme.CA()
    signer = ca.issue_cert("tokens.example", key_type=trustme.KeyType.RSA)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    # x5c wants the certificate as base64 without the PEM markers.
    lines = signer.cert_chain_pems[0].bytes().decode().split("-----")
    tokens = Tokens(signer.private_key_pem.bytes(), lines[2].replace("\n", ""))
    port = free_port()
    with LoopbackServer(tokens.answer, clock=lambda: datetime.now(UTC)) as realm:
        text = _DOCKER_REGISTRY.format(folder=folder, port=port, realm=realm.url)
        (folder / "config.yml").write_text(text)
        url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = ["docker-registry", "serve", folder / "config.yml"]
        with running(command, f"{url}/v2/", folder / "log"):
            yield Images(url, realm.url, folder, tokens)


@dataclass
class Index:
    """A devpi index and its uploads."""

    url: str
    auth: dict[str, str]

    def upload(self, name: str, version: str) -> None:
        """Upload a wheel without content."""
        base = f"{name.replace('-', '_')}-{version}"
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w") as archive:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            archive.writestr(f"{base}.dist-info/METADATA", metadata)
            archive.writestr(f"{base}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        answer = httpx.post(
            f"{self.url}/",
            headers=self.auth,
            data={
                ":action": "file_upload",
                "name": name,
                "version": version,
                "metadata_version": "2.1",
                "filetype": "bdist_wheel",
                "pyversion": "py3",
            },
            files={"content": (f"{base}-py3-none-any.whl", wheel.getvalue())},
        )
        assert answer.status_code == 200, answer.text

    def delete(self, name: str, version: str) -> None:
        answer = httpx.delete(f"{self.url}/{name}/{version}", headers=self.auth)
        assert answer.status_code == 200, answer.text


@contextmanager
def devpi(folder: Path) -> Iterator[Index]:
    """Run devpi-server with a single index, which belongs to a user."""
    require(DEVPI / "devpi-server")
    folder.mkdir(parents=True)
    state, port = folder / "state", free_port()
    run(DEVPI / "devpi-init", "--serverdir", state, "--no-root-pypi", "--root-passwd", "")
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [DEVPI / "devpi-server", "--serverdir", state]
    with running([*command, "--host", "127.0.0.1", "--port", str(port)], url, folder / "log"):
        secret = {"user": "ann", "password": "secret"}
        assert httpx.put(f"{url}/ann", json={"password": "secret"}).status_code == 201
        token = httpx.post(f"{url}/+login", json=secret).json()["result"]["password"]
        auth = {"X-Devpi-Auth": base64.b64encode(f"ann:{token}".encode()).decode()}
        created = httpx.put(f"{url}/ann/dev", json={"type": "stage", "bases": []}, headers=auth)
        assert created.status_code == 200, created.text
        yield Index(f"{url}/ann/dev", auth)
