"""`make bench-serve`: serve and change feeds of 80,000 and 1,000,000 versions.

It prints these tables: building an edition, whole and after 500 changes; answers per second and CPU
per answer, next to nginx with the same bytes as files and to PostgreSQL with the queries alone, in
turn within one run (medians of `--rounds` slices); filters within the process; memory; switches
under load. `--soak N` adds N minutes of mixed load with a switch every 15 seconds. wrk and the
server share two cores.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from bench.serve.feeds import written
from bench.serve.filters import filters
from bench.serve.load import Rate, answer, entity_tag, private, server, targets, wrk
from bench.serve.rivals import QUERIES, nginx, postgres
from bench.serve.steps import CHANGES, apart, first, indexed, live, more
from bench.serve.switches import changed_under_load
from pipelines.cli.console import print_table
from serve.edition.edition import Edition

Rows = list[list[object]]


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
        run(f"edition after {CHANGES} changes", more, f"e{number:04d}", number)
    run("its pages, and what is due", indexed)
    print_table(["build and switch", "seconds", "MB written", "peak MB"], rows)


def compare(home: Path, edition: Edition, arguments: argparse.Namespace) -> None:
    """Measure every kind of answer, ours and theirs in turn."""
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
            for kind, kind_targets in kinds.items()
            for number, target in enumerate(kind_targets)
        }
        nothing = nullcontext(None)
        beside = nothing if "nginx" in arguments.without else nginx(files)
        behind = nothing if "postgres" in arguments.without else postgres(edition)
        with beside as theirs, behind as database:
            for kind, kind_targets in kinds.items():
                names = [
                    f"/{kind.replace(' ', '-')}/{number}" for number in range(len(kind_targets))
                ]
                for label, headers, their_headers in requests(port, kind, kind_targets):
                    ours: list[Rate] = []
                    long_way: list[Rate] = []
                    others: list[Rate] = []
                    queries: list[float] = []
                    # All take turns in each round: a slow phase of the machine hits every one.
                    for _ in range(arguments.rounds):
                        ours.append(
                            wrk(port, process, kind_targets, folder, seconds=arguments.slice,
                                headers=headers)
                        )  # fmt: skip
                        long_way.append(
                            wrk(slow_port, slow_process, kind_targets, folder,
                                seconds=arguments.slice, headers=headers)
                        )  # fmt: skip
                        if theirs is not None:
                            tag = their_headers(theirs[0], names[0])
                            # The tag of a 304 belongs to one file only.
                            others.append(
                                wrk(theirs[0], theirs[1], names[:1] if "304" in label else names,
                                    folder, seconds=arguments.slice, headers=tag)
                            )  # fmt: skip
                        # Headers make no difference to the database: one measurement per kind.
                        if database is not None and kind in QUERIES and not headers:
                            queries.append(database.rate(QUERIES[kind], arguments.slice))
                    rows.append(row(label, ours, long_way, others, queries))
    print_table(
        ["answer", "RPS", "CPU us", "long way", "nginx RPS", "CPU us", "x nginx", "x long way",
         "PG queries/s", "x PG", "errors"],
        rows,
    )  # fmt: skip


def requests(
    port: int, kind: str, kind_targets: list[str]
) -> Iterator[tuple[str, dict[str, str], Callable[[int, str], dict[str, str]]]]:
    """The variants of a kind: label, our headers, and a function that gives those for nginx."""
    yield kind, {}, lambda *_: {}
    if kind.startswith("page"):
        gzipped = {"Accept-Encoding": "gzip"}
        yield f"{kind}, gzip", gzipped, lambda *_: gzipped
        tag = entity_tag(port, kind_targets[0])
        yield (
            f"{kind}, 304",
            {"If-None-Match": tag},
            lambda their_port, target: {"If-None-Match": entity_tag(their_port, target)},
        )


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


def occupied(home: Path, edition: Edition) -> None:
    rows: Rows = []
    mixed = targets(edition)["mixed"]
    with tempfile.TemporaryDirectory() as name:
        for workers in (1, 2):
            with server(home, workers=workers) as (port, process, seconds):
                start = statistics.mean(private(process))
                wrk(port, process, mixed, Path(name), seconds=5)
                loaded = statistics.mean(private(process))
                rows.append([workers, f"{seconds:.2f}", f"{start:.0f}", f"{loaded:.0f}"])
    print_table(["workers", "s to first answer", "private MB each", "under load"], rows)
