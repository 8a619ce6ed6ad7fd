"""`make bench-profile`: a cold profile of 13,200 names over loopback, then one where all is 304.

The names are spread as in the registry (npm 64 %, PyPI 29 %, OCI 7 %), each with one claimed
version. The profile runs in one process, the registries in another; first without latency, then
with 50 ms per request. Nothing leaves the machine: SUBREGISTRY_OFFLINE is set.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from pipelines.cli.console import print_table
from pipelines.demo.loopback import LoopbackServer, Reply, Request
from pipelines.demo.packages import PackageStandIns, Release, SamplePackage
from pipelines.demo.registry import ScriptedRegistry
from pipelines.line import Line
from pipelines.settings import load_settings

NAMES = 13_200
START = datetime(2026, 3, 1, tzinfo=UTC)


def kind_of(number: int) -> str:
    """The registry of a name; the kinds are evenly mixed."""
    # 37 and 100 share no factor, so 100 numbers in a row take each place once.
    place = number * 37 % 100
    return "npm" if place < 64 else "pypi" if place < 93 else "ghcr.io"


def server_json(number: int) -> dict[str, Any]:
    kind, name = kind_of(number), f"package-{number:05}"
    package: dict[str, Any] = {"registryType": kind, "identifier": name, "version": "1.0.14"}
    if kind == "ghcr.io":
        package = {"registryType": "oci", "identifier": f"ghcr.io/o/{name}:1.0.14"}
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"io.github.owner-{number}/{name}",
        "description": "A server",
        "version": "1.0.14",
        "packages": [package | {"transport": {"type": "stdio"}}],
    }


def serve(latency: float) -> None:
    """Serve upstream and registries in one process; print the URL, end when standard input ends."""
    upstream, packages, lock = ScriptedRegistry(), PackageStandIns(), threading.Lock()
    counts: Counter[str] = Counter()
    cache: dict[tuple[str, str], Reply] = {}
    for number in range(NAMES):
        server, kind = server_json(number), kind_of(number)
        upstream.publish(server, START - timedelta(days=100))
        name = f"package-{number:05}" if kind != "ghcr.io" else f"o/package-{number:05}"
        created = START - timedelta(days=200)
        # 1.0.14 is the version that entries claim; an image has only this tag.
        numbers = range(15) if kind != "ghcr.io" else [14]
        releases = [
            Release(f"1.0.{patch}", created + timedelta(days=patch), server["name"])
            for patch in numbers
        ]
        package = SamplePackage(name, releases, repository="https://github.com/o/r")
        packages.put(kind, package)

    def answer(request: Request) -> Reply:
        path = request.target.partition("?")[0]
        if path == "/stats":
            with lock:
                body = json.dumps(dict(counts)).encode()
                counts.clear()
            return Reply(200, body)
        if path.startswith("/v0"):
            return upstream.answer(request)
        time.sleep(latency)
        key = (request.method + request.target, str(sorted(request.headers.items())))
        # Cached, so that the stand-in takes little CPU from the process that is measured.
        reply = cache.get(key) or cache.setdefault(key, packages.answer(request))
        with lock:
            counts["requests"] += 1
            counts[f"requests {path.split('/')[1]}"] += 1
            counts[f"status {reply.status}"] += 1
            counts["bytes"] += len(reply.body) if request.method != "HEAD" else 0
        return reply

    with LoopbackServer(answer, clock=lambda: START) as stand_in:
        print(stand_in.url, flush=True)
        sys.stdin.read()


@contextmanager
def serving(latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.profile", "--serve", str(latency)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(30)


def deployment(home: Path, url: str, now: datetime) -> Line:
    origins = {"npm": {"url": f"{url}/npm"}, "pypi": {"url": f"{url}/pypi"}}
    settings = load_settings(
        home=home,
        offline=True,
        upstream_url=url,
        upstream_rate=0,
        package_rate=0,
        profile_seconds=3600,
        origins=origins | {"oci:ghcr.io": {"url": f"{url}/oci/ghcr.io", "slots": 2}},
    )
    return Line(settings, clock=lambda: now)


def part(name: str, home: Path, url: str) -> None:
    """Run one part in this process; print its measurements."""
    # After 20 days every name is due again.
    days = {"pull": 0, "cold": 0, "again": 20}[name]
    line = deployment(home, url, START + timedelta(days=days))
    start = time.monotonic()
    if name == "pull":
        line.pull()
        result: dict[str, Any] = {}
    else:
        report = line.profile()
        result = {"asked": report.asked, "outcomes": report.outcomes, "facts": report.facts}
    result["seconds"] = time.monotonic() - start
    result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


def run(name: str, home: Path, url: str) -> dict[str, Any]:
    # Reading the counts also resets them.
    httpx.get(f"{url}/stats")
    command = [sys.executable, "-m", "bench.profile", "--part", name, "--home", str(home)]
    done = subprocess.run([*command, "--url", url], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    result |= httpx.get(f"{url}/stats").json()
    return result


def main() -> None:
    rows = []
    for latency in (0.0, 0.05):
        with tempfile.TemporaryDirectory() as folder, serving(latency) as url:
            run("pull", Path(folder), url)
            for name in ("cold", "again"):
                result = run(name, Path(folder), url)
                asked, requests = result["asked"], result["requests"]
                per_kind = {
                    kind: result.get(f"requests {kind}", 0) for kind in ("npm", "pypi", "oci")
                }
                rows.append(
                    [
                        f"{name}, {latency * 1000:.0f} ms",
                        asked,
                        requests,
                        f"{requests / asked:.2f}",
                        " ".join(str(count) for count in per_kind.values()),
                        result.get("status 304", 0),
                        f"{result['seconds']:.1f}",
                        f"{asked / result['seconds']:.0f}",
                        f"{result['peak']:.0f}",
                        f"{result['bytes'] / 1e6:.1f}",
                        result["facts"],
                    ]
                )
    names = ["run", "names", "requests", "per name", "npm pypi oci", "304", "s", "names/s"]
    print_table([*names, "peak MB", "MB sent", "facts"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=float)
    parser.add_argument("--part")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--url")
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
    elif arguments.part:
        part(arguments.part, arguments.home, arguments.url)
    else:
        main()
