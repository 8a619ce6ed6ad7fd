"""Package registries on loopback: the parts of npm, PyPI and OCI that the line uses.

Documents come from a small table of packages; ETags, 304, absences and the token flow are real.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from pipelines.demo.loopback import Reply, Request
from pipelines.demo.registry import instant

Json = dict[str, Any]  # a registry's document
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Release:
    """One version or tag of a sample package."""

    version: str
    published_at: datetime
    server_name: str = ""
    deprecated: str = ""
    yanked: bool | str = False
    install_script: bool = False
    provenance: bool = False


@dataclass
class SamplePackage:
    """A package of one registry; `status` is ok, unpublished, quarantined or one of PyPI's own."""

    name: str
    releases: list[Release] = field(default_factory=list)
    license: str = "MIT"
    repository: str = ""
    status: str = "ok"
    owners: tuple[str, ...] = ()


class PackageStandIns:
    """All sample registries behind one server: /npm, /pypi and /oci/HOST."""

    def __init__(self) -> None:
        self._packages: dict[tuple[str, str], SamplePackage] = {}

    def put(self, kind: str, package: SamplePackage) -> None:
        """Add or replace a package; `kind` is npm, pypi or an OCI host."""
        self._packages[kind, package.name] = package

    def find(self, kind: str, name: str) -> SamplePackage | None:
        return self._packages.get((kind, name))

    def answer(self, request: Request) -> Reply:
        path = urlsplit(request.target).path.strip("/")
        first, _, rest = path.partition("/")
        if first == "npm":
            return _conditional(request, self._npm(unquote(rest)))
        if first == "pypi":
            return _conditional(request, self._pypi([unquote(part) for part in rest.split("/")]))
        if first == "oci":
            return self._oci(request, rest)
        return Reply(404)

    def _npm(self, name: str) -> Reply:
        if name.startswith("-/npm/v1/attestations/"):
            return self._attestations(name.removeprefix("-/npm/v1/attestations/"))
        package = self.find("npm", name)
        if package is None:
            return _json({"error": "Not found"}, 404)
        times = {release.version: instant(release.published_at) for release in package.releases}
        # npm still answers 200 for an unpublished package, but without versions.
        if package.status == "unpublished":
            return _json({"name": name, "time": {"unpublished": {"name": name}} | times})
        versions = {release.version: _npm_version(package, release) for release in package.releases}
        owners = [{"name": owner, "email": f"{owner}@mail.example"} for owner in package.owners]
        time: Json = {"created": min(times.values())} | times
        return _json(
            {
                "name": name,
                "dist-tags": {"latest": package.releases[-1].version},
                "versions": versions,
                "time": time,
                "maintainers": owners,
            }
        )

    def _attestations(self, name: str) -> Reply:
        """The provenance of `NAME@VERSION`, with the fields that the line reads."""
        name, _, version = name.rpartition("@")
        package = self.find("npm", name)
        if package is None:
            return _json({"error": "Not found"}, 404)
        workflow = {"repository": package.repository, "path": ".github/workflows/release.yml"}
        statement = {
            "subject": [{"digest": {"sha512": hashlib.sha512(version.encode()).hexdigest()}}],
            "predicate": {"buildDefinition": {"externalParameters": {"workflow": workflow}}},
        }
        payload = base64.b64encode(_bytes(statement)).decode()
        bundle = {"dsseEnvelope": {"payload": payload}}
        return _json({"attestations": [{"predicateType": _SLSA, "bundle": bundle}]})

    def _pypi(self, parts: list[str]) -> Reply:
        match parts:
            case ["simple", name]:
                package = self.find("pypi", name)
                return _json(_index(package)) if package else Reply(404, b"404 Not Found")
            case ["pypi", name, "json"]:
                return self._release(name, None)
            case ["pypi", name, version, "json"]:
                return self._release(name, version)
            case ["integrity", name, _, _, "provenance"] if package := self.find("pypi", name):
                path = package.repository.removeprefix("https://github.com/")
                publisher = {"kind": "GitHub", "repository": path, "workflow": "release.yml"}
                return _json({"version": 1, "attestation_bundles": [{"publisher": publisher}]})
        return Reply(404)

    def _release(self, name: str, version: str | None) -> Reply:
        package = self.find("pypi", name)
        releases = package.releases if package and package.status != "quarantined" else []
        wanted = (
            [release for release in releases if release.version == version]
            if version
            else releases[-1:]
        )
        if package is None or not wanted:
            return _json({"message": "Not Found"}, 404)
        marker = f"mcp-name: {wanted[0].server_name}" if wanted[0].server_name else ""
        info = {
            "name": name,
            "version": wanted[0].version,
            "license_expression": package.license,
            "description": f"# {name}\n\n<!-- {marker} -->\n",
            "project_urls": {"Repository": package.repository},
        }
        roles = [{"role": "Owner", "user": owner} for owner in package.owners]
        ownership = {"roles": roles, "organization": None}
        serial = len(releases)  # PyPI's serials only grow, and so does this number
        return _json({"info": info, "urls": [], "last_serial": serial, "ownership": ownership})

    def _oci(self, request: Request, rest: str) -> Reply:
        host, _, path = rest.partition("/")
        if path == "token":
            return _json({"token": f"anonymous-{host}"})
        # The token flow of OCI: a 401 names the token endpoint, then the client asks again.
        if request.headers.get("authorization") != f"Bearer anonymous-{host}":
            base = f"http://{request.headers.get('host', '')}/oci/{host}"
            challenge = f'Bearer realm="{base}/token",service="{host}"'
            return Reply(401, b"{}", _JSON | {"WWW-Authenticate": challenge})
        name, _, tail = path.removeprefix("v2/").partition("/manifests/")
        if not tail:
            name, _, tail = path.removeprefix("v2/").partition("/blobs/")
        package = self.find(host, name)
        for release in package.releases if package else ():
            config = _bytes(_config(release))
            manifest = _bytes(_manifest(config))
            # A tag or digest finds a manifest; only a digest finds a config blob.
            if tail in (release.version, _digest(manifest)):
                headers = {"Docker-Content-Digest": _digest(manifest), "Content-Type": _MANIFEST}
                return Reply(200, manifest, headers)
            if tail == _digest(config):
                return Reply(200, config, {"Content-Type": "application/octet-stream"})
        return _json({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)


_SLSA = "https://slsa.dev/provenance/v1"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _npm_version(package: SamplePackage, release: Release) -> Json:
    digest = hashlib.sha512(release.version.encode()).digest()
    dist: Json = {"integrity": f"sha512-{base64.b64encode(digest).decode()}"}
    if release.provenance:
        predicate = {"predicateType": _SLSA}
        dist["attestations"] = {"provenance": predicate}
    document: Json = {
        "name": package.name,
        "version": release.version,
        "license": package.license,
        "repository": {"type": "git", "url": package.repository},
        "dist": dist,
    }
    if release.server_name:
        document["mcpName"] = release.server_name
    if release.deprecated:
        document["deprecated"] = release.deprecated
    if release.install_script:
        document["hasInstallScript"] = True
    return document


def _index(package: SamplePackage) -> Json:
    gone = package.status == "quarantined"
    files = [
        {
            "filename": f"{package.name.replace('-', '_')}-{release.version}.tar.gz",
            "hashes": {"sha256": _digest(f"{package.name}{release.version}".encode())[7:]},
            "upload-time": instant(release.published_at),
            "yanked": release.yanked,
            "provenance": "https://example.org/provenance" if release.provenance else None,
        }
        for release in package.releases
    ]
    return {
        "meta": {"api-version": "1.4", "_last-serial": len(files)},
        "name": package.name,
        "versions": [] if gone else [release.version for release in package.releases],
        "files": [] if gone else files,
        "project-status": {"status": "active" if package.status == "ok" else package.status},
    }


def _config(release: Release) -> Json:
    labels = {"org.opencontainers.image.licenses": "Apache-2.0"}
    if release.server_name:
        labels["io.modelcontextprotocol.server.name"] = release.server_name
    platform = {"architecture": "amd64", "os": "linux"}
    return platform | {"created": instant(release.published_at), "config": {"Labels": labels}}


def _manifest(config: bytes) -> Json:
    media = "application/vnd.oci.image.config.v1+json"
    reference = {"mediaType": media, "digest": _digest(config), "size": len(config)}
    return {"schemaVersion": 2, "mediaType": _MANIFEST, "config": reference, "layers": []}


def _conditional(request: Request, reply: Reply) -> Reply:
    if reply.status != 200:
        return reply
    etag = f'"{_digest(reply.body)[7:39]}"'
    if request.headers.get("if-none-match") == etag:
        return Reply(304, b"", {"ETag": etag})
    return Reply(200, reply.body, {**reply.headers, "ETag": etag})


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, _bytes(value), _JSON)


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
