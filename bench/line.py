"""`make bench`: measure the whole line on an upstream of 80,000 versions over loopback.

The upstream draws its entries from recorded ones. Each part runs in its own process, so that its
peak memory is its own. Ratios compare parts of one run; times are medians of several rounds.
Nothing leaves the machine: SUBREGISTRY_OFFLINE is set.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pipelines.cli.console import print_table
from pipelines.line import Line
from pipelines.publish.build import build
from pipelines.publish.index import index
from pipelines.settings import load_settings
from warehouse.analytics import publish_copy

Result = dict[str, Any]  # the JSON that a part prints


def bare(_: Path, url: str) -> Result:
    """Page through the list with httpx and nothing else."""
    pages, cursor = 0, ""
    with httpx.Client() as client:
        while True:
            params = {"limit": "100", "include_deleted": "true"} | (
                {"cursor": cursor} if cursor else {}
            )
            page = client.get(f"{url}/v0.1/servers", params=params).json()
            pages += 1
            cursor = page["metadata"].get("nextCursor", "")
            if not cursor:
                return {"note": f"{pages} pages"}


def pull(home: Path, url: str) -> Result:
    report = deployment(home, url).pull()
    return {"note": f"{report.kind}: {report.requests} requests, {report.new} new"}


def reconcile(home: Path, url: str) -> Result:
    report = deployment(home, url).pull(full=True)
    return {"note": f"{report.kind}: {report.requests} requests, {report.changed} changed"}


def curated(home: Path, url: str) -> Result:
    line = deployment(home, url)
    report = line.curate(line.policies("default")[0])
    return {"note": f"{report.admitted} admitted"}


def built(home: Path, url: str) -> Result:
    line = deployment(home, url)
    (policy,) = line.policies("default")
    feed, begun = line.feed(policy.name), time.time()
    report = build(line.warehouse, policy, feed, now=line.clock)
    new = [path for path in feed.folder.rglob("*") if path.is_file()]
    # Only what this build wrote: files that it did not touch are older.
    size = sum(path.stat().st_size for path in new if path.stat().st_mtime >= begun)
    note = f"{report.entries} entries, {report.changed} changed"
    return {"note": note, "written": size / 1e6}


def indexed(home: Path, url: str) -> Result:
    line = deployment(home, url)
    report = index(line.warehouse, line.feed("default"), now=line.clock)
    return {"note": f"{report.search}, base {report.base or 'as it was'}"}


def switched(home: Path, url: str) -> Result:
    line = deployment(home, url)
    report = line.switch(line.policies("default")[0])
    return {"note": f"sequence {report.sequence}"}


def copied(home: Path, url: str) -> Result:
    line = deployment(home, url)
    path = publish_copy(line.warehouse, line.settings.analytics, now=line.clock())
    return {"note": f"{path.stat().st_size / 1e6:.0f} MB"}


PARTS: dict[str, Callable[[Path, str], Result]] = {
    "bare": bare,
    "pull": pull,
    "reconcile": reconcile,
    "curate": curated,
    "build": built,
    "switch": switched,
    "index": indexed,
    "copy": copied,
}


def deployment(home: Path, url: str) -> Line:
    return Line(load_settings(home=home, upstream_url=url, upstream_rate=0, offline=True))


def run_part(name: str, home: Path, url: str) -> Result:
    """Run a part in its own process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.line", "--part", name, "--home", str(home), "--url", url],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SUBREGISTRY_OFFLINE": "1"},
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    # The result is the last line; a part may print others before it.
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def upstream(count: int, *, own: bool = False) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Run the upstream process; yield its URL and a function that publishes more.

    `own` is explained in bench.upstream.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.upstream", str(count), *(["own"] if own else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("pipes were asked for")
    out, into = process.stdout, process.stdin

    def publish(order: str) -> None:
        into.write(f"{order}\n")
        into.flush()
        # Wait until the upstream confirms, so that the next part sees the change.
        out.readline()

    try:
        yield out.readline().strip(), publish
    finally:
        # The upstream ends when its standard input ends.
        into.close()
        process.wait(30)
        out.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=80_000, help="versions upstream")
    options.add_argument("--rounds", type=int, default=3, help="runs of which the median counts")
    options.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.part:
        start = time.perf_counter()
        result = PARTS[arguments.part](arguments.home, arguments.url)
        result["seconds"] = time.perf_counter() - start
        # ru_maxrss is in KB on Linux.
        result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
        return
    measure(arguments.count, arguments.rounds)


def measure(count: int, rounds: int) -> None:
    results: dict[str, list[Result]] = {}
    with upstream(count) as (url, publish):
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)

                def run(label: str, part: str, home: Path = home) -> None:
                    results.setdefault(label, []).append(run_part(part, home, url))

                run("bare paging with httpx", "bare")
                run("full pull", "pull")
                publish("50")
                run("incremental pull of 50 changes", "pull")
                run("reconcile, nothing changed", "reconcile")
                run("curate", "curate")
                run("build, first", "build")
                run("switch", "switch")
                publish("50")
                run("incremental pull of 50 changes", "pull")
                run("curate", "curate")
                run("build after 50 changes", "build")
                run("analysts' copy", "copy")
    base = statistics.median(result["seconds"] for result in results["bare paging with httpx"])
    rows: list[list[object]] = []
    for label, runs in results.items():
        seconds = statistics.median(result["seconds"] for result in runs)
        peak = max(result["peak"] for result in runs)
        ratio = f"{seconds / base:.2f}"
        rows.append([label, f"{seconds:.2f}", ratio, f"{peak:.0f}", runs[-1]["note"]])
    print(f"{count} versions, median of {rounds}")
    print_table(["part", "seconds", "x bare paging", "peak MB", ""], rows)


if __name__ == "__main__":
    main()
