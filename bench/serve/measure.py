"""`make bench-serve`: feeds of 80,000 and 1,000,000 versions, served and changed.

Tables: building an edition, whole and after 500 changes; answers per second and CPU per answer,
next to nginx with the same bytes as files and to the queries alone in PostgreSQL, in turn within
one run (medians of `--rounds` slices); filters within the process; memory; switches under load.
`--soak N` adds N minutes of mixed load with a switch every 15 seconds. wrk and the server share two
cores.
"""

import argparse
import hashlib
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import quote

from bench.serve.feeds import change, entries, index, publish, written
from bench.serve.filters import filters
from bench.serve.load import Rate, Reader, answer, private, server, wrk
from bench.serve.rivals import QUERIES, nginx, postgres
from pipelines.cli.console import print_table
from serve.api.cursor import encode as encode_cursor
from serve.api.registry import Api, Request
from serve.api.shelf import FixedShelf
from serve.edition.edition import Edition
from serve.edition.selection import Selection
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed

Rows = list[list[object]]
_TARGETS = 2000
_CHANGES = 500


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", type=int, nargs="+", default=[80_000, 1_000_000])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--slice", type=int, default=2, help="seconds of each measurement")
    options.add_argument("--load", type=int, default=60, help="seconds of 20 switches, or more")
    options.add_argument("--soak", type=float, default=0, help="minutes of mixed load")
    options.add_argument("--without", nargs="*", default=[], choices=["postgres", "nginx"])
    arguments = options.parse_args()
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            home = Path(name)
            print(f"\n== {count:,} versions")
            build(home, count)
            edition = live(home)
            compare(home, edition, arguments)
            filters(home, edition, arguments.slice)
            occupied(home, edition)
            changed_under_load(home, arguments.load, arguments.load / 20)
            if arguments.soak:
                changed_under_load(home, arguments.soak * 60, 15)


def live(home: Path) -> Edition:
    found = Feed(home / "feeds", "default").current()
    assert found is not None
    return found


def apart(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Run a step in a process of its own: seconds, and its peak in MB."""
    with another() as pool:
        return pool.submit(_timed, step, *arguments).result()


def another() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _timed(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    begun = time.perf_counter()
    step(*arguments)
    took = time.perf_counter() - begun
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def first(home: Path, count: int) -> None:
    publish(Feed(home / "feeds", "default"), entries(count), "e0000", None)


def more(home: Path, edition: str, seed: int) -> None:
    change(Feed(home / "feeds", "default"), edition, _CHANGES, seed)


def indexed(home: Path) -> None:
    index(Feed(home / "feeds", "default"))


def build(home: Path, count: int) -> None:
    rows: Rows = []
    root = home / "feeds" / "default"

    def run(label: str, step: Callable[..., None], *arguments: object) -> None:
        begun = time.time()
        seconds, peak = apart(step, home, *arguments)
        size = written(root, begun) / 1e6
        rows.append([label, f"{seconds:.2f}", f"{size:.1f}", f"{peak:.0f}"])

    run("first edition, whole", first, count)
    run("its pages and ranked search", indexed)
    for number in range(1, 4):
        run(f"edition after {_CHANGES} changes", more, f"e{number:04d}", number)
    run("its pages, and what is due", indexed)
    print_table(["build and switch", "seconds", "MB written", "peak MB"], rows)


def compare(home: Path, edition: Edition, arguments: argparse.Namespace) -> None:
    """Every kind of answer, ours next to theirs, in turn."""
    kinds = targets(edition)
    rows: Rows = []
    with (
        tempfile.TemporaryDirectory() as name,
        server(home) as (port, process, _),
        server(home, fast=False) as (slow_port, slow_process, _),
    ):
        folder = Path(name)
        files = {
            f"{kind.replace(' ', '-')}/{number}": answer(port, target)
            for kind, found in kinds.items()
            for number, target in enumerate(found)
        }
        nothing = nullcontext(None)
        beside = nothing if "nginx" in arguments.without else nginx(files)
        behind = nothing if "postgres" in arguments.without else postgres(edition)
        with beside as theirs, behind as database:
            for kind, found in kinds.items():
                names = [f"/{kind.replace(' ', '-')}/{number}" for number in range(len(found))]
                for label, headers, their_headers in requests(port, kind, found):
                    ours: list[Rate] = []
                    long_way: list[Rate] = []
                    others: list[Rate] = []
                    queries: list[float] = []
                    for _ in range(arguments.rounds):
                        ours.append(
                            wrk(port, process, found, folder, seconds=arguments.slice,
                                headers=headers)
                        )  # fmt: skip
                        long_way.append(
                            wrk(slow_port, slow_process, found, folder, seconds=arguments.slice,
                                headers=headers)
                        )  # fmt: skip
                        if theirs is not None:
                            tag = their_headers(theirs[0], names[0])
                            others.append(
                                wrk(theirs[0], theirs[1], names[:1] if "304" in label else names,
                                    folder, seconds=arguments.slice, headers=tag)
                            )  # fmt: skip
                        if database is not None and kind in QUERIES and not headers:
                            queries.append(database.rate(QUERIES[kind], arguments.slice))
                    rows.append(row(label, ours, long_way, others, queries))
    print_table(
        ["answer", "RPS", "CPU us", "long way", "nginx RPS", "CPU us", "x nginx", "x long way",
         "PG queries/s", "x PG", "errors"],
        rows,
    )  # fmt: skip


def requests(
    port: int, kind: str, found: list[str]
) -> Iterator[tuple[str, dict[str, str], Callable[[int, str], dict[str, str]]]]:
    """The ways in which a kind is asked for: our headers, and those for nginx."""
    yield kind, {}, lambda *_: {}
    if kind.startswith("page"):
        gzipped = {"Accept-Encoding": "gzip"}
        yield f"{kind}, gzip", gzipped, lambda *_: gzipped
        tag = _tag(port, found[0])
        yield f"{kind}, 304", {"If-None-Match": tag}, lambda p, t: {"If-None-Match": _tag(p, t)}


def _tag(port: int, target: str) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target)
        found = connection.getresponse()
        found.read()
        return found.headers["ETag"] or ""
    finally:
        connection.close()


def row(
    label: str, ours: list[Rate], long_way: list[Rate], others: list[Rate], queries: list[float]
) -> list[object]:
    mine = statistics.median(rate.requests for rate in ours)
    slow = statistics.median(rate.requests for rate in long_way)
    theirs = statistics.median(rate.requests for rate in others) if others else 0.0
    database = statistics.median(queries) if queries else 0.0
    return [
        label,
        f"{mine:,.0f}",
        f"{min(rate.cpu for rate in ours):.1f}",
        f"{min(rate.cpu for rate in long_way):.1f}",
        f"{theirs:,.0f}" if theirs else "",
        f"{min(rate.cpu for rate in others):.1f}" if others else "",
        f"{mine / theirs:.2f}" if theirs else "",
        f"{mine / slow:.2f}",
        f"{database:,.0f}" if database else "",
        f"{mine / database:.1f}" if database else "",
        sum(rate.errors for rate in (*ours, *long_way, *others)),
    ]


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
        "one entry": [f"{base}/{n}/versions/{v}" for n, v in zip(names, versions, strict=True)],
        "versions": [f"{base}/{name}/versions" for name in names],
        "latest of one": [f"{base}/{name}/versions/latest" for name in names],
        "search": [f"{base}?search=zq-{number}" for number in range(500)],
        "mixed": [
            target
            for four in zip(
                [f"{base}?cursor={cursor}" for cursor in cursors],
                [f"{base}/{n}/versions/{v}" for n, v in zip(names, versions, strict=True)],
                [f"{base}/{name}/versions/latest" for name in names],
                [f"{base}?version=latest&limit=100&search={name[:6]}" for name in names],
                strict=True,
            )
            for target in four
        ],
    }


def occupied(home: Path, edition: Edition) -> None:
    rows: Rows = []
    found = targets(edition)["mixed"]
    with tempfile.TemporaryDirectory() as name:
        for workers in (1, 2):
            with server(home, workers=workers) as (port, process, took):
                start = statistics.mean(private(process))
                wrk(port, process, found, Path(name), seconds=5)
                loaded = statistics.mean(private(process))
                rows.append([workers, f"{took:.2f}", f"{start:.0f}", f"{loaded:.0f}"])
    print_table(["workers", "s to first answer", "private MB each", "under load"], rows)


def changed_under_load(home: Path, seconds: float, every: float) -> None:
    """Mixed load while editions change; every answer is compared with what its edition says."""
    feed = Feed(home / "feeds", "default")
    edition = live(home)
    found = targets(edition)
    watched = [*found["one entry"][:20], *found["latest of one"][:20], "/v0.1/servers?limit=100"]
    expected: dict[tuple[str, str], str] = {}
    memory: list[float] = []
    waits: list[float] = []
    errors, asked = 0, 0
    with (
        server(home) as (port, process, _),
        tempfile.TemporaryDirectory() as name,
        another() as builder,
    ):
        readers = [Reader(port, watched) for _ in range(2)]
        ended = threading.Event()
        threads = [threading.Thread(target=reader.run, args=(ended,)) for reader in readers]
        note(edition, watched, expected)
        for thread in threads:
            thread.start()
        begun = indexed_at = time.monotonic()
        number, start = 0, edition.manifest.built_at
        try:
            while time.monotonic() - begun < seconds or number < seconds // every:
                tick = time.monotonic()
                number += 1
                kind = f"s{time.time():.0f}-{number}"
                builder.submit(more, home, kind, number).result()
                switched = time.monotonic()
                edition = live(home)
                note(edition, watched, expected)
                while _tag(port, watched[0])[3:-1] != edition.tag:
                    if time.monotonic() - switched > 30:
                        raise SystemExit("the switch is not seen")
                    time.sleep(0.01)
                waits.append(time.monotonic() - switched)
                left = max(every - (time.monotonic() - tick), 1)
                rate = wrk(port, process, found["mixed"], Path(name), seconds=round(left) or 1)
                errors, asked = errors + rate.errors, asked + int(rate.requests * left)
                memory += private(process)
                if time.monotonic() - indexed_at >= 60:
                    builder.submit(indexed, home).result()
                    indexed_at = time.monotonic()
                feed.tidy(keep=5, since=start)  # a walk goes on where it began
        finally:
            ended_at = time.monotonic()
            ended.set()
            for thread in threads:
                thread.join()
    troubles = [trouble for reader in readers for trouble in reader.troubles]
    mixed = sum(
        expected.get(place) is not None and digests != {expected[place]}
        for reader in readers
        for place, digests in reader.met.items()
    )
    third = max(len(memory) // 3, 1)
    early, late = statistics.median(memory[:third]), statistics.median(memory[-third:])
    print_table(
        ["seconds", "switches", "answers of wrk", "answers compared", "failed", "mixed",
         "seen within s (max)", "private MB, first third", "last third"],
        [[f"{ended_at - begun:.0f}", number, asked, sum(reader.count for reader in readers),
          errors + len(troubles), mixed, f"{max(waits):.2f}", f"{early:.0f}", f"{late:.0f}"]],
    )  # fmt: skip
    for trouble in islice(troubles, 5):
        print(trouble)


def note(edition: Edition, watched: list[str], expected: dict[tuple[str, str], str]) -> None:
    """What an edition answers to each target, read from its files."""
    api = Api(version="bench", skew=0.0)
    shelf = FixedShelf(ServedFeed("default", "default", "/"), edition)
    for target in watched:
        path, _, query = target.encode().partition(b"?")
        found = api.answer(Request(b"GET", path, query), shelf)
        assert found is not None
        expected[edition.tag, target] = hashlib.sha256(found.body).hexdigest()
