"""The scripted history of the demonstration: servers, their packages, and a few days of changes.

A seeded generator picks from the lists in `pipelines.demo.names`, so every run plays the same days.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from pipelines.demo.names import (
    KINDS,
    LICENSES,
    OWNERS,
    SCHEMA,
    TOPICS,
    Json,
    is_ghost,
    package_name,
    packages,
    reference,
    versions,
)
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from pipelines.demo.registry import Row, ScriptedRegistry

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAYS = 5
_SERVERS = 420


@dataclass(frozen=True)
class Change:
    """A change at an instant; `what` describes it, or is empty if it is not announced."""

    at: datetime
    what: str
    apply: Callable[[], None]


class Sample:
    """The sample upstream and package registries, and their future changes in order."""

    def __init__(self, *, seed: int = 7) -> None:
        self.registry = ScriptedRegistry()
        self.packages = PackageStandIns()
        self._random = random.Random(seed)
        self._kinds: dict[str, str] = {}
        self.changes = sorted([*self._beginning(), *self._days()], key=lambda change: change.at)

    def play_until(self, at: datetime) -> list[str]:
        """Apply all changes up to an instant; return their descriptions."""
        due = [change for change in self.changes if change.at <= at]
        self.changes = self.changes[len(due) :]
        for change in due:
            change.apply()
        return [change.what for change in due if change.what]

    def _beginning(self) -> list[Change]:
        """The servers and versions that exist before the first day."""
        changes = []
        for number in range(_SERVERS):
            owner = self._random.choice(OWNERS)
            topic = self._random.choice(list(TOPICS))
            domain = f"com.{owner}" if number % 4 == 0 else f"io.github.{owner}"
            name = f"{domain}/{topic}-{number:03d}"
            self._kinds[name] = KINDS[number % len(KINDS)]
            first = START - timedelta(days=self._random.uniform(2, 120))
            for step, version in enumerate(versions(self._random)):
                at = first + timedelta(hours=step * self._random.uniform(1, 30))
                # Nothing of the beginning may fall into the days that are played.
                changes.append(self._publish(name, version, min(at, START - timedelta(hours=1))))
        changes += self._odd_entries(START - timedelta(days=1))
        return [replace(change, what="") for change in changes]

    def _days(self) -> list[Change]:
        """The changes while the clock runs, of every kind."""
        names = sorted(self._kinds)
        # Each kind of change takes its own part of `pick`, so that they do not mix on one server.
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
        """Packages that change under their entries: unpublished on npm, quarantined on PyPI."""
        changes = []
        npm = [name for name in names if self._kinds[name] == "npm"]
        for name in npm[:2]:
            package = package_name(name)
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
        """A data fix upstream: the content changes, `updatedAt` does not."""
        for row in self._of(name):
            server = row.server | {"description": f"{row.server['description']} (corrected)"}
            self.registry.edit((name, row.server["version"]), server, None)

    def _remove(self, name: str) -> None:
        for row in self._of(name):
            self.registry.remove((name, row.server["version"]))

    def _of(self, name: str) -> list[Row]:
        return [row for (other, _), row in self.registry.rows().items() if other == name]

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
            "$schema": SCHEMA,
            "name": name,
            "description": TOPICS[topic],
            "title": f"{topic.capitalize()} by {owner}",
            "repository": {"url": f"https://github.com/{owner}/{topic}", "source": "github"},
            "version": version,
        }
        claimed = packages(name, version, kind)
        if claimed:
            server["packages"] = claimed
        if kind in ("remote", "both"):
            server["remotes"] = [
                {"type": "streamable-http", "url": f"https://mcp.{owner}.example/{topic}"}
            ]
        return server

    def _release(self, name: str, version: str, kind: str, at: datetime) -> None:
        """Publish the package of a version, except for servers whose package never existed."""
        if kind not in ("npm", "pypi", "oci", "both") or is_ghost(name):
            return
        registry = {"both": "npm", "oci": "ghcr.io"}.get(kind, kind)
        package_name = reference(name, kind)
        owner = name.partition("/")[0].rpartition(".")[2]
        package = self.packages.find(registry, package_name) or SamplePackage(
            package_name,
            license=LICENSES[len(package_name) % len(LICENSES)],
            repository=f"https://github.com/{owner}/{name.partition('/')[2]}",
        )
        # The length of the name decides which oddity a package has; that needs no random draw.
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
        """Entries like those in real registries that strict clients cannot decode as they are."""
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
            base: Json = {"$schema": SCHEMA, "name": f"io.github.oddities/{key}"}
            server = base | {"description": f"An odd entry: {key}"} | {"version": version} | extra
            changes.append(Change(at, "", partial(self.registry.publish, server, at)))
        broken = {"$schema": SCHEMA, "name": "io.github.oddities/unreadable", "version": "1.0.0"}
        # No such status exists: the pull must quarantine this record.
        row = Row(broken, "paused", at, at, at, True)
        changes.append(Change(at, "", partial(self.registry.put, row)))
        return changes
