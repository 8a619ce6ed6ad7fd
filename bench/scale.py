"""`make bench-scale`: a refresh after 500 changes, of a large feed compared with a small one.

Both upstreams run at the same time; rounds alternate between them, and each step runs in its own
process. Half of the changes are new servers, half are new versions of known ones. The result is the
ratio of the medians. The cost of pull, build and switch depends on the change only. Curate decides
on everything again; index makes what needs the whole edition, when readers already have that
edition.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.line import Result, run_part, upstream
from pipelines.cli.console import print_table

CHANGES = 250  # of each kind: new servers, new versions
STEPS = ("pull", "curate", "build", "switch", "index")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--small", type=int, default=10_000)
    options.add_argument("--large", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    sizes = (arguments.small, arguments.large)
    results: dict[tuple[int, str], list[Result]] = {}
    first: dict[tuple[int, str], Result] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream(arguments.small) as small,
        upstream(arguments.large) as large,
    ):
        upstreams = {arguments.small: small, arguments.large: large}
        for size, (url, _) in upstreams.items():
            for step in STEPS:
                first[size, step] = run_part(step, Path(folder) / str(size), url)
        for _ in range(arguments.rounds):
            for size, (url, publish) in upstreams.items():
                publish(f"{CHANGES}")
                publish(f"{CHANGES} more")
                for step in STEPS:
                    result = run_part(step, Path(folder) / str(size), url)
                    results.setdefault((size, step), []).append(result)
    rows: list[list[object]] = []
    for step in STEPS:
        medians: dict[int, float] = {}
        for size in sizes:
            parts = results[size, step]
            medians[size] = statistics.median(part["seconds"] for part in parts)
            written = [part["written"] for part in parts if "written" in part]
            rows.append(
                [
                    step,
                    f"{size:,}",
                    f"{first[size, step]['seconds']:.1f}",
                    f"{first[size, step]['peak']:.0f}",
                    f"{medians[size]:.2f}",
                    f"{statistics.median(part['peak'] for part in parts):.0f}",
                    f"{statistics.median(written):.1f}" if written else "",
                    "",
                    parts[-1]["note"],
                ]
            )
        # The ratio goes into the row of the large feed, the last one of each step.
        rows[-1][7] = f"{medians[arguments.large] / medians[arguments.small]:.2f}"
    print_table(
        [
            "step",
            "versions",
            "first s",
            "MB",
            "500 changes s",
            "peak MB",
            "MB written",
            "ratio",
            "",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
