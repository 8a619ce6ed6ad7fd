"""Progress reports of long steps. The caller of a step decides how they are shown."""

import time
from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with what is counted, how many are done, and the total if it is known."""


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


def in_lines(
    write: Callable[[str], object],
    *,
    every: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Write a line at most every `every` seconds; the first one comes after that time too."""
    last = clock()

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if clock() - last >= every:
            last = clock()
            write(f"{what}: {done:,}" + (f" of {total:,}" if total is not None else ""))

    return progress
