"""Load on a server: wrk measures throughput, a reader of our own checks every byte that it gets."""

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bench.serve.rivals import answering, free_port
from serve.api.cursor import encode as encode_cursor
from serve.edition.edition import Edition
from serve.edition.selection import Selection

_TARGETS = 2000

_LUA = """
local targets, at = {{}}, 0
for line in io.lines("{path}") do targets[#targets + 1] = line end
request = function()
    at = at % #targets + 1
    return wrk.format("GET", targets[at], {{ {headers} }})
end
"""


@dataclass
class Rate:
    """Requests per second, CPU microseconds of the server per request, failed requests, and the
    99th percentile of the latency in milliseconds."""

    requests: float
    cpu: float
    errors: int
    p99: float


def ticks(process: int) -> float:
    """CPU seconds used by a process and its descendants."""
    total = 0.0
    for pid in [process, *children(process)]:
        # The command name may hold spaces; after it, fields 11 and 12 are utime and stime.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children(process: int) -> list[int]:
    pids = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += [int(child), *children(int(child))]
    return pids


def wrk(
    port: int,
    process: int,
    targets: Sequence[str],
    folder: Path,
    *,
    seconds: float,
    clients: int = 32,
    headers: dict[str, str] | None = None,
) -> Rate:
    """Let wrk request the targets in turn for some seconds."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    (folder / "targets").write_text("\n".join(targets))
    shown = ", ".join(f'["{name}"] = [[{value}]]' for name, value in (headers or {}).items())
    (folder / "wrk.lua").write_text(_LUA.format(path=folder / "targets", headers=shown))
    before = ticks(process)
    done = subprocess.run(
        ["wrk", "-t1", "--latency", f"-c{clients}", f"-d{seconds}s", "-s", folder / "wrk.lua",
         f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    used = ticks(process) - before
    output = done.stdout
    count = int(re.findall(r"(\d+) requests in", output)[0])
    # wrk prints these lines only if there were errors.
    errors = sum(int(digits) for digits in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    errors += sum(
        int(digits) for digits in re.findall(r"(?:connect|read|write|timeout) (\d+)", output)
    )
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", output)[0]
    p99 = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    return Rate(rate, used / max(count, 1) * 1e6, errors, p99)


@contextmanager
def server(home: Path, *, fast: bool = True, workers: int = 1) -> Iterator[tuple[int, int, float]]:
    """Run our server over a home; yield its port, process ID, and seconds to the first answer."""
    port = free_port()
    settings = {"HOME": str(home), "OFFLINE": "1", "FAST": str(int(fast))}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "serve", "--port", str(port),
         "--workers", str(workers)],
        env={**os.environ, **{f"SUBREGISTRY_{name}": value for name, value in settings.items()}},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answering(port)
        answer(port, "/v0.1/servers?limit=1")
        yield port, process.pid, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(30)


def answer(port: int, target: str, headers: dict[str, str] | None = None) -> bytes:
    """The body of one answer; exits on a status other than 200 and 304."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", target, headers=headers or {})
        response = connection.getresponse()
        if response.status not in (200, 304):
            raise SystemExit(f"{response.status} {target}: {response.read(300)!r}")
        return response.read()
    finally:
        connection.close()


def private(process: int) -> list[float]:
    """Megabytes of anonymous memory of each worker."""
    megabytes = []
    # A single worker is the process itself and has no children.
    for pid in children(process) or [process]:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        anonymous = next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))
        megabytes.append(anonymous / 1024)
    return megabytes


@dataclass
class Reader:
    """Reads targets in a loop; keeps the digests of what it got, by edition and target."""

    port: int
    targets: Sequence[str]
    met: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    count: int = 0

    def run(self, ended: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while not ended.is_set():
                for target in self.targets:
                    connection.request("GET", target)
                    response = connection.getresponse()
                    body = response.read()
                    if response.status != 200:
                        self.troubles.append(f"{response.status} {target}")
                        continue
                    # An ETag is W/"TAG".
                    tag = (response.headers["ETag"] or "")[3:-1]
                    digest = hashlib.sha256(body).hexdigest()
                    self.met.setdefault((tag, target), set()).add(digest)
                    self.count += 1
        except (OSError, http.client.HTTPException) as error:
            self.troubles.append(repr(error))
        finally:
            connection.close()


def targets(edition: Edition) -> dict[str, list[str]]:
    """Targets by kind, spread over the whole feed."""
    step = max(edition.count // _TARGETS, 1)
    numbers = range(step, edition.count - 100, step)
    began = edition.manifest.sequence
    cursors = [
        encode_cursor(edition.key(number), Selection(), edition=None, sequence=began)
        for number in numbers
    ]
    pairs = [edition.keys.pair(number) for number in numbers]
    names = [quote(name, safe="") for name, _ in pairs]
    versions = [quote(version, safe="") for _, version in pairs]
    base = "/v0.1/servers"
    return {
        "page of 30": [f"{base}?cursor={cursor}" for cursor in cursors],
        "page of 100": [f"{base}?limit=100&cursor={cursor}" for cursor in cursors[:500]],
        "one entry": [
            f"{base}/{name}/versions/{version}"
            for name, version in zip(names, versions, strict=True)
        ],
        "versions": [f"{base}/{name}/versions" for name in names],
        "latest of one": [f"{base}/{name}/versions/latest" for name in names],
        "search": [f"{base}?search=zq-{number}" for number in range(500)],
        "mixed": [
            target
            for four in zip(
                [f"{base}?cursor={cursor}" for cursor in cursors],
                [
                    f"{base}/{name}/versions/{version}"
                    for name, version in zip(names, versions, strict=True)
                ],
                [f"{base}/{name}/versions/latest" for name in names],
                [f"{base}?version=latest&limit=100&search={name[:6]}" for name in names],
                strict=True,
            )
            for target in four
        ],
    }


def entity_tag(port: int, target: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        return response.headers["ETag"] or ""
    finally:
        connection.close()
