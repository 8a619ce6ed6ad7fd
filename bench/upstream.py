"""A large upstream in its own process: recorded names with bodies drawn from recorded ones.

`python -m bench.upstream N [own]` prints its URL and serves until its standard input ends. There, a
line `N` publishes N new servers, and a line `N more` publishes new versions of N known ones. With
`own` each server has packages and remotes that no other server has, and npm and PyPI answer for all
of them.
"""

import csv
import gzip
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from pipelines.demo.registry import Json, Row, ScriptedRegistry
from tests.support.shared import base_dump, require

VERSIONS = (1, 1, 1, 2, 2, 3, 4, 6)


def names() -> Iterator[str]:
    """The recorded names, then the same names with numbers."""
    path = require("data/registry-latest-index-2026-06-12.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        recorded = [row["name"] for row in csv.DictReader(file)]
    for round_number in range(1000):
        for name in recorded:
            yield f"{name}-{round_number}" if round_number else name


def fill(registry: ScriptedRegistry, count: int, packages: PackageStandIns | None = None) -> None:
    """Put `count` versions, about 2.5 per server, with bodies drawn from the recorded ones.

    With `packages` each server gets its own packages, which are put there.
    """
    source = random.Random(1)
    bodies = [entry["server"] for entry in base_dump()]
    start = datetime(2025, 9, 1, tzinfo=UTC)
    done = 0
    for name in names():
        body = source.choice(bodies)
        versions = source.choice(VERSIONS)
        if packages is not None:
            body = owned(body, done, packages)
        for minor in range(min(versions, count - done)):
            at = start + timedelta(seconds=source.uniform(0, 8e6), microseconds=done)
            server = body | {"name": name, "version": f"1.{minor}.0"}
            row = Row(server, "active", at, at, at, minor == versions - 1)
            registry.put(row)
            done += 1
        if done >= count:
            return


def owned(body: Json, number: int, stand_ins: PackageStandIns) -> Json:
    """A copy of a body with packages and remotes that belong to it alone."""
    name, published = f"package-{number}", datetime(2025, 8, 1, tzinfo=UTC)
    packages = [
        package | {"identifier": name}
        if package.get("registryType") in ("npm", "pypi")
        else package
        for package in body.get("packages") or []
    ]
    for package in packages:
        if package["identifier"] == name:
            release = Release(package.get("version") or "1.0.0", published)
            stand_ins.put(package["registryType"], SamplePackage(name, [release]))
    url = f"https://host-{number // 10}.example/{number}"
    remotes = [remote | {"url": url} for remote in body.get("remotes") or []]
    repository = body.get("repository") or {}
    if repository.get("url"):
        repository = repository | {"url": f"https://github.com/owner/repository-{number}"}
    parts = {"packages": packages, "remotes": remotes, "repository": repository}
    return body | {key: value for key, value in parts.items() if value}


def main() -> None:
    registry, packages = ScriptedRegistry(), PackageStandIns()
    fill(registry, int(sys.argv[1]), packages if "own" in sys.argv[2:] else None)
    known = sorted({name for name, _ in registry.rows()})
    # Render every body now; it is cached, so no measured request pays for it.
    for key in registry.rows():
        registry.body(key)
    source, new = random.Random(2), 0
    body = base_dump()[0]["server"]

    def answer(request: Request) -> Reply:
        of_registry = request.target.startswith("/v0")
        return registry.answer(request) if of_registry else packages.answer(request)

    with LoopbackServer(answer, clock=lambda: datetime.now(UTC)) as server:
        print(server.url, flush=True)
        for line in sys.stdin:
            count, more = int(line.split()[0]), line.strip().endswith("more")
            chosen = source.sample(known, count) if more else [""] * count
            for name in chosen:
                new += 1
                version = f"2.{new}.0" if name else "1.0.0"
                document = body | {"name": name or f"bench.new/{new:06d}", "version": version}
                registry.publish(document, datetime.now(UTC))
            print("published", flush=True)


if __name__ == "__main__":
    main()
