"""`make bench-scale`: a pull of 500 changes into a large warehouse against one into a small one.

Both upstreams run side by side; rounds alternate, every pull in a process of its own. Half of the
changes are new servers, half new versions of known ones. The ratio of the medians counts.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.line import Result, run_part, upstream
from pipelines.console import print_table

CHANGES = 250


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--small", type=int, default=10_000)
    options.add_argument("--large", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    sizes = [arguments.small, arguments.large]
    results: dict[int, list[Result]] = {size: [] for size in sizes}
    first: dict[int, Result] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(arguments.small) as small,
        upstream(arguments.large) as large,
    ):
        upstreams = {arguments.small: small, arguments.large: large}
        for size, (url, _) in upstreams.items():
            first[size] = run_part("pull", Path(folder) / str(size), url)
        for _ in range(arguments.rounds):
            for size, (url, publish) in upstreams.items():
                publish(f"{CHANGES}")
                publish(f"{CHANGES} more")
                results[size].append(run_part("pull", Path(folder) / str(size), url))
    medians = {
        size: (
            statistics.median(found["seconds"] for found in results[size]),
            statistics.median(found["peak"] for found in results[size]),
        )
        for size in sizes
    }
    rows: list[list[object]] = [
        [
            f"{size:,}",
            f"{first[size]['seconds']:.1f}",
            f"{first[size]['peak']:.0f}",
            f"{medians[size][0]:.2f}",
            f"{medians[size][1]:.0f}",
            results[size][-1]["note"],
        ]
        for size in sizes
    ]
    time, memory = (medians[arguments.large][i] / medians[arguments.small][i] for i in (0, 1))
    rows.append(["ratio", "", "", f"{time:.2f}", f"{memory:.2f}", "goal: below 2"])
    print_table(["versions", "full s", "full MB", "500 changes s", "MB", ""], rows)


if __name__ == "__main__":
    main()
