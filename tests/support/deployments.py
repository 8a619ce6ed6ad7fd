"""A scripted registry over HTTP, and deployments that pull from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns
from pipelines.demo.registry import ScriptedRegistry
from pipelines.line import Line
from pipelines.settings import load_settings

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass
class Upstream:
    """A scripted registry with a request log and a hook for faults."""

    registry: ScriptedRegistry = field(default_factory=ScriptedRegistry)
    packages: PackageStandIns = field(default_factory=PackageStandIns)
    fault: Callable[[Request], Reply | None] = lambda _: None
    targets: list[str] = field(default_factory=list)
    url: str = ""
    packages_url: str = ""

    def answer(self, request: Request) -> Reply:
        self.targets.append(request.target)
        return self.fault(request) or self.registry.answer(request)


@contextmanager
def upstream_server(clock: Callable[[], datetime]) -> Iterator[Upstream]:
    """Serve the scripted registries on loopback; the given clock sets their Date headers."""
    upstream = Upstream()
    with (
        LoopbackServer(upstream.answer, clock=clock) as server,
        LoopbackServer(upstream.packages.answer, clock=clock) as packages,
    ):
        upstream.url, upstream.packages_url = server.url, packages.url
        yield upstream


def make_deployment(
    home: Path, upstream: Upstream, clock: Callable[[], datetime], **settings: Any
) -> Line:  # `settings` holds fields of Settings
    url = upstream.packages_url
    if "feeds" not in settings:
        settings["feeds"] = two_feeds(home.parent / "documents")
    defaults: dict[str, Any] = {
        "home": home,
        "upstream_url": upstream.url,
        "upstream_rate": 0,
        "package_rate": 0,
        "offline": True,
        "origins": {
            "npm": {"url": f"{url}/npm"},
            "pypi": {"url": f"{url}/pypi"},
            "oci:ghcr.io": {"url": f"{url}/oci/ghcr.io"},
            "oci:docker.io": {"url": f"{url}/oci/docker.io"},
        },
    }
    return Line(load_settings(**defaults | settings), clock=clock, sleep=lambda _: None)


def two_feeds(folder: Path) -> Path:
    """Copy the shipped documents of the feeds `default` and `mirror` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("default.toml", "mirror.toml"):
        (folder / name).write_bytes((files("serve.policy") / "feeds" / name).read_bytes())
    return folder


def server_json(name: str, version: str = "1.0.0", **extra: Any) -> dict[str, Any]:
    """A server.json that clients can decode."""
    document: dict[str, Any] = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": name,
        "description": f"The server {name.partition('/')[2]}",
        "version": version,
        "remotes": [{"type": "streamable-http", "url": "https://mcp.example.org/mcp"}],
    }
    return document | extra
