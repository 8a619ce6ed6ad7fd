"""`make bench-sizes`: a first run and a refresh after 50 changes, by the size of the registry.

Everything runs through the command line with default settings. Each server has a package or a
remote of its own. SQL writes the facts of most packages before the first feed is built, because
asking a stand-in for each would take longer than everything else. `--limit` runs the commands in a
memory cgroup of that many MB. Nothing leaves the machine: SUBREGISTRY_OFFLINE is set.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.line import upstream
from pipelines.cli.console import print_table
from warehouse.database.warehouse import Warehouse

STEPS = ("pull", "profile", "curate", "build", "switch", "index", "copy")
_CGROUP = Path("/sys/fs/cgroup/memory/subregistry-bench")
_FACTS = """
INSERT INTO package_facts BY NAME
SELECT DISTINCT r.origin, r.package, now() AS observed_at, 'http://127.0.0.1' AS source,
    'known' AS state, 'ok' AS outcome, r.package_version AS latest_version, 3 AS version_count,
    TIMESTAMPTZ '2025-01-01' AS first_published_at
FROM package_refs r
ANTI JOIN package_facts f ON f.origin = r.origin AND f.package = r.package
WHERE r.package IS NOT NULL;
INSERT INTO version_facts BY NAME
SELECT DISTINCT r.origin, r.package, r.package_version AS version, now() AS observed_at,
    'http://127.0.0.1' AS source, 'known' AS state, 'ok' AS outcome,
    TIMESTAMPTZ '2025-02-01' AS published_at, hash(r.package) % 50 = 0 AS yanked,
    'MIT' AS license, false AS install_scripts, false AS provenance, 0 AS newer_versions
FROM package_refs r
ANTI JOIN version_facts f
    ON f.origin = r.origin AND f.package = r.package AND f.version = r.package_version
WHERE r.package_version IS NOT NULL;
INSERT INTO touched SELECT DISTINCT 'package', origin || ':' || package FROM package_refs
WHERE package IS NOT NULL
"""


@dataclass
class Usage:
    """What a part of a command used: seconds, CPU seconds, peaks in MB of a single process."""

    name: str
    seconds: float
    cpu: float
    rss: float
    anon: float


@dataclass
class _Sampler:
    """Samples a process 20 times a second; `cut` ends a part and begins the next one."""

    pid: int
    rss: float = 0.0
    anon: float = 0.0
    cpu: float = 0.0
    parts: list[Usage] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> None:
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return
        sizes = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}
        with self._lock:
            # After the command name, fields 11 and 12 are utime and stime.
            self.cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
            self.rss = max(self.rss, int(sizes.get("VmRSS:", 0)) / 1024)
            self.anon = max(self.anon, int(sizes.get("RssAnon:", 0)) / 1024)

    def cut(self, name: str) -> None:
        self.look()
        now = time.monotonic()
        with self._lock:
            used = self.cpu - self._before
            self.parts.append(Usage(name, now - self._began, used, self.rss, self.anon))
            self._began, self._before, self.rss, self.anon = now, self.cpu, 0.0, 0.0


def environment(home: Path, url: str) -> dict[str, str]:
    """Default settings except for paths and rates; no rate limits, because all is on loopback."""
    return {
        **os.environ,
        "SUBREGISTRY_OFFLINE": "1",
        "SUBREGISTRY_HOME": str(home),
        "SUBREGISTRY_UPSTREAM_URL": url,
        "SUBREGISTRY_UPSTREAM_RATE": "0",
        "SUBREGISTRY_PACKAGE_RATE": "0",
        "SUBREGISTRY_ORIGINS": json.dumps(
            {kind: {"url": f"{url}/{kind}"} for kind in ("npm", "pypi")}
        ),
    }


def _command_line(words: Sequence[str], *, limit: bool) -> list[str]:
    line = [sys.executable, "-m", "pipelines.cli", *words]
    if limit:
        # The shell joins the cgroup and then becomes the command.
        line = ["sh", "-c", f'echo $$ > {_CGROUP}/cgroup.procs; exec "$@"', "sh", *line]
    return line


def command(home: Path, url: str, *words: str, limit: bool) -> list[Usage]:
    """Run a command of the command line; return a part for each step that it reports."""
    line = _command_line(words, limit=limit)
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            line, env=environment(home, url), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        sampler, done = _Sampler(process.pid), threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                sampler.look()

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert process.stdout is not None
        for text in process.stdout:
            step, *facts = text.split() or [""]
            if step in STEPS:
                feed = next((fact[5:] for fact in facts if fact.startswith("feed=")), "")
                sampler.cut(f"{step} {feed}".strip())
            print(f"    {text.rstrip()[:150]}", file=sys.stderr, flush=True)
        sampler.cut("end")
        done.set()
        watcher.join()
        code = process.wait()
        errors.seek(0)
        message = errors.read()
    if code:
        raise SystemExit(f"{' '.join(words)} ended with {code}:\n{message[-3000:]}")
    return sampler.parts


def serve(home: Path, url: str, *, limit: bool) -> list[Usage]:
    """Serve the feeds: until the first answer, then 200 pages of the mirror, then 20 searches."""
    line = _command_line(("serve", "--port", "0"), limit=limit)
    process = subprocess.Popen(line, env=environment(home, url), stderr=subprocess.PIPE, text=True)
    sampler = _Sampler(process.pid)
    try:
        assert process.stderr is not None
        # The first line of stderr names the address.
        base = re.findall(r"http://\S+", process.stderr.readline())[0]
        with httpx.Client(base_url=f"{base}/feeds/mirror", timeout=60) as client:
            client.get("/v0.1/servers").raise_for_status()
            sampler.cut("first answer")
            cursor = ""
            for _ in range(200):
                params = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
                page = client.get("/v0.1/servers", params=params).raise_for_status().json()
                cursor = page["metadata"].get("nextCursor", "")
            sampler.cut("200 pages")
            for number in range(20):
                client.get("/search", params={"q": f"server {number}"}).raise_for_status()
            sampler.cut("20 searches")
    finally:
        process.terminate()
        process.wait(30)
    return sampler.parts


def fill_facts(home: Path) -> None:
    with Warehouse(home / "warehouse.duckdb").session() as session:
        for statement in _FACTS.split(";"):
            session.text(statement)


def size_of(folder: Path) -> float:
    # By inode, so that a file with several hard links counts once.
    files = {path.stat().st_ino: path.stat() for path in folder.rglob("*") if path.is_file()}
    return sum(stat.st_blocks * 512 for stat in files.values()) / 1e6


@contextmanager
def limited(megabytes: int) -> Iterator[None]:
    """A memory cgroup for what runs inside; 0 means none."""
    if not megabytes:
        yield
        return
    _CGROUP.mkdir(exist_ok=True)
    try:
        (_CGROUP / "memory.limit_in_bytes").write_text(str(megabytes << 20))
        yield
    finally:
        with suppress(OSError):  # a command may not have ended yet
            _CGROUP.rmdir()


def measure(count: int, limit: int) -> list[list[object]]:
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder, upstream(count, own=True) as (url, publish):
        home = Path(folder)

        def run(title: str, *words: str) -> None:
            print(f"{count:,} {title}", file=sys.stderr, flush=True)
            disk = ""
            if words[0] == "serve":
                parts = serve(home, url, limit=bool(limit))
            else:
                parts = command(home, url, *words, limit=bool(limit))
            for part in parts:
                if part.name == "end":
                    disk = f"{size_of(home):,.0f}"
                row = [f"{part.seconds:.1f}", f"{part.cpu:.1f}", f"{part.rss:.0f}"]
                print(f"    {part}", file=sys.stderr, flush=True)  # a long run may be cut off
                if part.name != "end":
                    rows.append([f"{count:,}", title, part.name, *row, f"{part.anon:.0f}", ""])
            total = [sum(getattr(usage, name) for usage in parts) for name in ("seconds", "cpu")]
            peaks = [max(getattr(usage, name) for usage in parts) for name in ("rss", "anon")]
            shown = [f"{value:.1f}" for value in total] + [f"{value:.0f}" for value in peaks]
            rows.append([f"{count:,}", title, "all", *shown, disk])

        run("first pull", "pull")
        run("profile of 2,000", "profile", "--budget", "2000")
        fill_facts(home)
        run("first run", "run")
        publish("25")
        publish("25 more")
        run("50 changes", "run")
        run("nothing changed", "run")
        run("full walk", "run", "--full")
        run("query", "query", "SELECT feed, verdict, count(*) AS n FROM verdicts GROUP BY ALL")
        run("status", "status")
        run("serve", "serve")
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", type=int, nargs="+", default=[80_000, 300_000, 1_000_000])
    options.add_argument("--limit", type=int, default=0, help="MB of the memory cgroup")
    arguments = options.parse_args()
    rows: list[list[object]] = []
    with limited(arguments.limit):
        for count in arguments.counts:
            rows += measure(count, arguments.limit)
    names = ["versions", "command", "part", "s", "CPU s", "RSS MB", "RssAnon MB", "disk MB"]
    print_table(names, rows)


if __name__ == "__main__":
    main()
