"""The written history of the demonstration: servers, their packages, and a few days of changes.

Everything is made from the lists here by a seeded generator, so that every run plays the same days.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from pipelines.demo.registry import Row, ScriptedRegistry

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAYS = 5
_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
_SERVERS = 420

_OWNER_NAMES = """
alderbrook amberline birchworks bluefennel brightquay cedarpost cinderlake cobaltpine coppermill
dawnharbor driftstone elmgate fernhollow flintridge foxglove gingerbay graniteway hazelport
indigofield juniperlab kestrelhq larkspur lindenweg maplecove mossrock nettleford oakmere pebblesoft
quillworks rowanbyte saffronio slatepoint thistledown umberly velvetfox willowtech yarrowdev
zephyrnet
"""
_OWNERS = _OWNER_NAMES.split()
_TOPICS = {
    "weather": "Forecasts and current conditions for any place",
    "calendar": "Read and plan appointments in a calendar",
    "invoices": "Create invoices and follow their payment",
    "postgres": "Query PostgreSQL databases, read only",
    "sqlite": "Explore SQLite files with safe queries",
    "notes": "Search and write notes in a folder",
    "tickets": "List, open and close support tickets",
    "maps": "Geocoding, routes and travel times",
    "mail": "Search a mailbox and draft replies",
    "files": "Read files below a folder of your choice",
    "metrics": "Ask a time series database for metrics",
    "logs": "Search structured logs by time and field",
    "translate": "Translate text between forty languages",
    "charts": "Draw charts from tables",
    "pdf": "Extract text and tables from PDF files",
    "recipes": "Find recipes by what is in the kitchen",
    "trains": "Timetables and delays of trains",
    "stocks": "Prices and company facts from an exchange",
    "kubernetes": "Look at workloads of a cluster",
    "git": "History, blame and diffs of a repository",
    "search": "Web search with short answers",
    "crm": "Contacts and deals of a sales team",
    "photos": "Find pictures by place, time and subject",
    "music": "Search a music library and make playlists",
    "budget": "Household budget by category and month",
    "papers": "Find and summarise scientific papers",
    "dns": "Look up DNS records and explain them",
    "iot": "Read sensors and switch devices at home",
    "tasks": "Keep a list of tasks in order",
    "wiki": "Search and read an internal wiki",
}
_KINDS = ["npm"] * 9 + ["pypi"] * 6 + ["remote"] * 6 + ["oci"] * 3 + ["both"] * 2
_KINDS += ["mcpb", "nuget", "cargo", "none"]
_LICENSES = ["MIT", "MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "GPL-3.0-only", "UNLICENSED"]

Json = dict[str, Any]  # a server.json


@dataclass(frozen=True)
class Change:
    """Something that happens at an instant; `what` tells it in a few words."""

    at: datetime
    what: str
    apply: Callable[[], None]


class Sample:
    """The sample upstream and package registries, and what will happen to them, in order."""

    def __init__(self, *, seed: int = 7) -> None:
        self.registry = ScriptedRegistry()
        self.packages = PackageStandIns()
        self._random = random.Random(seed)
        self._kinds: dict[str, str] = {}
        self.changes = sorted([*self._beginning(), *self._days()], key=lambda change: change.at)

    def play_until(self, at: datetime) -> list[str]:
        """Let everything up to an instant happen; return what did."""
        due = [change for change in self.changes if change.at <= at]
        self.changes = self.changes[len(due) :]
        for change in due:
            change.apply()
        return [change.what for change in due if change.what]

    def _beginning(self) -> list[Change]:
        """Servers and versions that stand there before the first day."""
        changes = []
        for number in range(_SERVERS):
            owner = self._random.choice(_OWNERS)
            topic = self._random.choice(list(_TOPICS))
            domain = f"com.{owner}" if number % 4 == 0 else f"io.github.{owner}"
            name = f"{domain}/{topic}-{number:03d}"
            self._kinds[name] = _KINDS[number % len(_KINDS)]
            first = START - timedelta(days=self._random.uniform(2, 120))
            for step, version in enumerate(_versions(self._random)):
                at = first + timedelta(hours=step * self._random.uniform(1, 30))
                changes.append(self._publish(name, version, min(at, START - timedelta(hours=1))))
        changes += self._odd_entries(START - timedelta(days=1))
        return [replace(change, what="") for change in changes]

    def _days(self) -> list[Change]:
        """What happens while the clock is played: every kind of change there is."""
        names = sorted(self._kinds)
        pick = self._random.sample(names, 80)
        changes = []
        for number, name in enumerate(pick[:40]):
            at = START + timedelta(hours=3 + number * (DAYS * 24 - 10) / 40)
            changes.append(self._publish(name, f"9.{number}.0", at))
        day = timedelta(days=1)
        status = self.registry.set_status
        for number, name in enumerate(pick[40:46]):
            at = START + day * (1 + number % 3) + timedelta(hours=2, minutes=number)
            changes.append(
                Change(
                    at,
                    f"{name} is deprecated, all versions at one instant",
                    partial(status, name, None, "deprecated", "no longer maintained", at),
                )
            )
        for number, name in enumerate(pick[46:52]):
            at = START + day * (1 + number % 3) + timedelta(hours=5, minutes=number)
            changes.append(
                Change(at, f"{name} is deleted", partial(status, name, None, "deleted", "", at))
            )
        back = START + day * 4 + timedelta(hours=1)
        changes.append(
            Change(
                back,
                f"{pick[46]} comes back",
                partial(status, pick[46], None, "active", "", back),
            )
        )
        changes.append(
            Change(START + day * 2, f"{pick[59]} is edited silently", partial(self._edit, pick[59]))
        )
        changes.append(
            Change(
                START + day * 2, f"{pick[60]} is removed by hand", lambda: self._remove(pick[60])
            )
        )
        changes += self._package_changes(pick[61:], START + day)
        return changes

    def _package_changes(self, names: list[str], at: datetime) -> list[Change]:
        """Packages that change under their entries: withdrawn, deprecated, quarantined, gone."""
        changes = []
        npm = [name for name in names if self._kinds[name] == "npm"]
        for name in npm[:2]:
            package = _package_name(name)
            changes.append(
                Change(
                    at,
                    f"npm package {package} is unpublished",
                    partial(self._change_package, "npm", package, status="unpublished"),
                )
            )
        for name in [name for name in names if self._kinds[name] == "pypi"][:2]:
            package = name.partition("/")[2]
            changes.append(
                Change(
                    at,
                    f"PyPI project {package} is quarantined",
                    partial(self._change_package, "pypi", package, status="quarantined"),
                )
            )
        return changes

    def _change_package(self, kind: str, name: str, *, status: str) -> None:
        package = self.packages.find(kind, name)
        if package is not None:
            package.status = status

    def _edit(self, name: str) -> None:
        """A data fix upstream: the content moves, `updatedAt` does not."""
        for row in self._of(name):
            server = row.server | {"description": f"{row.server['description']} (corrected)"}
            self.registry.edit((name, row.server["version"]), server, None)

    def _remove(self, name: str) -> None:
        for row in self._of(name):
            self.registry.remove((name, row.server["version"]))

    def _of(self, name: str) -> list[Row]:
        return [row for (found, _), row in self.registry.rows().items() if found == name]

    def _publish(self, name: str, version: str, at: datetime) -> Change:
        kind = self._kinds[name]
        server = self._server(name, version, kind)

        def apply() -> None:
            self._release(name, version, kind, at)
            self.registry.publish(server, at)

        return Change(at, f"{name} {version} is published", apply)

    def _server(self, name: str, version: str, kind: str) -> Json:
        owner = name.partition("/")[0].rpartition(".")[2]
        topic = name.partition("/")[2].rpartition("-")[0]
        server: Json = {
            "$schema": _SCHEMA,
            "name": name,
            "description": _TOPICS[topic],
            "title": f"{topic.capitalize()} by {owner}",
            "repository": {"url": f"https://github.com/{owner}/{topic}", "source": "github"},
            "version": version,
        }
        packages = _packages(name, version, kind)
        if packages:
            server["packages"] = packages
        if kind in ("remote", "both"):
            server["remotes"] = [
                {"type": "streamable-http", "url": f"https://mcp.{owner}.example/{topic}"}
            ]
        return server

    def _release(self, name: str, version: str, kind: str, at: datetime) -> None:
        """Publish the package of a version, unless this server is one whose package never was."""
        if kind not in ("npm", "pypi", "oci", "both") or _is_ghost(name):
            return
        registry = {"both": "npm", "oci": "ghcr.io"}.get(kind, kind)
        package_name = _reference(name, kind)
        owner = name.partition("/")[0].rpartition(".")[2]
        package = self.packages.find(registry, package_name) or SamplePackage(
            package_name,
            license=_LICENSES[len(package_name) % len(_LICENSES)],
            repository=f"https://github.com/{owner}/{name.partition('/')[2]}",
        )
        odd = len(package_name) % 11
        package.releases.append(
            Release(
                version,
                at,
                server_name="" if odd == 3 else name,
                deprecated="use another package" if odd == 5 and kind == "npm" else "",
                yanked=odd == 6 and kind == "pypi",
                install_script=odd == 7,
                provenance=odd % 2 == 0,
            )
        )
        self.packages.put(registry, package)

    def _odd_entries(self, at: datetime) -> list[Change]:
        """Entries as real registries have them, which strict clients cannot decode as they are."""
        run = {"registryType": "npm", "identifier": "odd-tool", "version": "1.0.0"}
        stdio = run | {"transport": {"type": "stdio"}}
        argument = {"type": "", "value": "x"}
        shapes: dict[str, tuple[str, Json]] = {
            "empty-repository": ("1.0.0", {"repository": {}, "packages": [stdio]}),
            "odd-format": (
                "1.0.0",
                {
                    "packages": [
                        stdio | {"environmentVariables": [{"name": "PORT", "format": "integer"}]}
                    ]
                },
            ),
            "latest-pinned": ("1.0.0", {"packages": [stdio | {"version": "latest"}]}),
            "bad-argument": ("1.0.0", {"packages": [stdio | {"packageArguments": [argument]}]}),
            "template-version": ("{{VERSION}}", {"packages": [stdio]}),
            "ordinal-version": ("1.0.1º", {"packages": [stdio]}),
            "build-version": ("2026.02.13+pr147-5d1f8b0", {"packages": [stdio]}),
            "no-description": ("1.0.0", {"description": "", "packages": [stdio]}),
            "tilde": ("1.0.0", {"packages": [stdio | {"identifier": "../../escape"}]}),
        }
        odd = SamplePackage("odd-tool", [Release("1.0.0", at)])
        self.packages.put("npm", odd)
        changes = []
        for key, (version, extra) in shapes.items():
            base: Json = {"$schema": _SCHEMA, "name": f"io.github.oddities/{key}"}
            server = base | {"description": f"An odd entry: {key}"} | {"version": version} | extra
            changes.append(Change(at, "", partial(self.registry.publish, server, at)))
        broken = {"$schema": _SCHEMA, "name": "io.github.oddities/unreadable", "version": "1.0.0"}
        row = Row(broken, "paused", at, at, at, True)
        changes.append(Change(at, "", partial(self.registry.put, row)))
        return changes


def _packages(name: str, version: str, kind: str) -> list[Json]:
    transport = {"transport": {"type": "stdio"}}
    identifier = _reference(name, kind)
    match kind:
        case "npm" | "both":
            found = {"registryType": "npm", "identifier": identifier, "version": version}
        case "pypi":
            found = {"registryType": "pypi", "identifier": identifier, "version": version}
        case "oci":
            found = {"registryType": "oci", "identifier": f"ghcr.io/{identifier}:{version}"}
        case "mcpb":
            url = f"https://github.com/{identifier}/releases/download/v{version}/server.mcpb"
            found = {"registryType": "mcpb", "identifier": url, "fileSha256": "0" * 64}
        case "nuget" | "cargo":
            found = {"registryType": kind, "identifier": identifier, "version": version}
        case _:
            return []
    return [found | transport]


def _reference(name: str, kind: str) -> str:
    owner = name.partition("/")[0].rpartition(".")[2]
    bare = name.partition("/")[2]
    return {
        "npm": _package_name(name),
        "both": _package_name(name),
        "oci": f"{owner}/{bare}",
        "mcpb": f"{owner}/{bare}",
        "nuget": f"{owner.capitalize()}.{bare.capitalize()}",
    }.get(kind, bare)


def _package_name(name: str) -> str:
    owner = name.partition("/")[0].rpartition(".")[2]
    return f"@{owner}/{name.partition('/')[2]}"


def _is_ghost(name: str) -> bool:
    """Every seventeenth server claims a package that no registry has."""
    return int(name.rpartition("-")[2]) % 17 == 4


def _versions(source: random.Random) -> list[str]:
    count = source.choice([1, 1, 1, 2, 2, 3, 4, 6])
    versions = [f"{major}.{minor}.0" for major in (0, 1) for minor in range(1, 5)][:count]
    return [*versions[:-1], f"{versions[-1]}-beta.1"] if count == 4 else versions
