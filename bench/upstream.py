"""A large upstream in a process of its own: recorded bodies resampled under recorded names.

`python -m bench.upstream N` prints its URL and serves until its standard input ends; a line `N`
there publishes N new servers, a line `N more` new versions of N known ones.
"""

import csv
import gzip
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipelines.demo.loopback import LoopbackServer
from pipelines.demo.registry import Row, ScriptedRegistry
from tests.shared import base_dump, require

VERSIONS = (1, 1, 1, 2, 2, 3, 4, 6)


def names() -> Iterator[str]:
    """Recorded names, then the same names with numbers."""
    path = require("data/registry-latest-index-2026-06-12.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        recorded = [row["name"] for row in csv.DictReader(file)]
    for round_number in range(1000):
        for name in recorded:
            yield f"{name}-{round_number}" if round_number else name


def fill(registry: ScriptedRegistry, count: int) -> None:
    """Put `count` versions, about 2.6 a server, bodies drawn from the recorded ones."""
    source = random.Random(1)
    bodies = [entry["server"] for entry in base_dump()]
    start = datetime(2025, 9, 1, tzinfo=UTC)
    done = 0
    for name in names():
        body = source.choice(bodies)
        versions = source.choice(VERSIONS)
        for minor in range(min(versions, count - done)):
            at = start + timedelta(seconds=source.uniform(0, 8e6), microseconds=done)
            server = body | {"name": name, "version": f"1.{minor}.0"}
            row = Row(server, "active", at, at, at, minor == versions - 1)
            registry.put(row)
            done += 1
        if done >= count:
            return


def main() -> None:
    registry = ScriptedRegistry()
    fill(registry, int(sys.argv[1]))
    known = sorted({name for name, _ in registry.rows()})
    for key in registry.rows():
        registry.body(key)
    source, new = random.Random(2), 0
    body = base_dump()[0]["server"]
    with LoopbackServer(registry.answer, clock=lambda: datetime.now(UTC)) as server:
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
