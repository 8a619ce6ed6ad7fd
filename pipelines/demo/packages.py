"""Package registries on loopback: npm, PyPI and OCI as far as the line asks them.

Documents are made from a small table of packages; ETags, 304, absences and the token flow are real.
"""

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
    """One version (or tag) of a sample package."""

    version: str
    published_at: datetime
    server_name: str = ""
    deprecated: str = ""
    yanked: bool = False
    install_script: bool = False
    provenance: bool = False


@dataclass
class SamplePackage:
    """A package of one registry; `status` is ok, unpublished or quarantined."""

    name: str
    releases: list[Release] = field(default_factory=list)
    license: str = "MIT"
    repository: str = ""
    status: str = "ok"


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
        package = self.find("npm", name)
        if package is None:
            return _json({"error": "Not found"}, 404)
        times = {r.version: instant(r.published_at) for r in package.releases}
        if package.status == "unpublished":
            return _json({"name": name, "time": {"unpublished": {"name": name}} | times})
        versions = {r.version: _npm_version(package, r) for r in package.releases}
        return _json(
            {
                "name": name,
                "dist-tags": {"latest": package.releases[-1].version},
                "versions": versions,
                "time": {"created": min(times.values()), **times},
            }
        )

    def _pypi(self, parts: list[str]) -> Reply:
        match parts:
            case ["simple", name]:
                package = self.find("pypi", name)
                return _json(_index(package)) if package else Reply(404, b"404 Not Found")
            case ["pypi", name, "json"]:
                return self._release(name, None)
            case ["pypi", name, version, "json"]:
                return self._release(name, version)
        return Reply(404)

    def _release(self, name: str, version: str | None) -> Reply:
        package = self.find("pypi", name)
        releases = package.releases if package and package.status == "ok" else []
        wanted = [r for r in releases if r.version == version] if version else releases[-1:]
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
        return _json({"info": info, "urls": [], "last_serial": len(releases)})

    def _oci(self, request: Request, rest: str) -> Reply:
        host, _, path = rest.partition("/")
        if path == "token":
            return _json({"token": f"anonymous-{host}"})
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
            if tail in (release.version, _digest(manifest)):
                headers = {"Docker-Content-Digest": _digest(manifest), "Content-Type": _MANIFEST}
                return Reply(200, manifest, headers)
            if tail == _digest(config):
                return Reply(200, config, {"Content-Type": "application/octet-stream"})
        return _json({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)


_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _npm_version(package: SamplePackage, release: Release) -> Json:
    dist: Json = {"integrity": f"sha512-{_digest(release.version.encode())[7:]}"}
    if release.provenance:
        predicate = {"predicateType": "https://slsa.dev/provenance/v1"}
        dist["attestations"] = {"provenance": predicate}
    found: Json = {
        "name": package.name,
        "version": release.version,
        "license": package.license,
        "repository": {"type": "git", "url": package.repository},
        "dist": dist,
    }
    if release.server_name:
        found["mcpName"] = release.server_name
    if release.deprecated:
        found["deprecated"] = release.deprecated
    if release.install_script:
        found["hasInstallScript"] = True
    return found


def _index(package: SamplePackage) -> Json:
    gone = package.status == "quarantined"
    files = [
        {
            "filename": f"{package.name.replace('-', '_')}-{r.version}.tar.gz",
            "hashes": {"sha256": _digest(f"{package.name}{r.version}".encode())[7:]},
            "upload-time": instant(r.published_at),
            "yanked": r.yanked,
            "provenance": "https://example.org/provenance" if r.provenance else None,
        }
        for r in package.releases
    ]
    return {
        "meta": {"api-version": "1.4", "_last-serial": len(files)},
        "name": package.name,
        "versions": [] if gone else [r.version for r in package.releases],
        "files": [] if gone else files,
        "project-status": {"status": "quarantined" if gone else "active"},
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
