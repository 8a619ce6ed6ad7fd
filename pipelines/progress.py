"""What long steps say while they work. How it is shown is decided by whoever starts them."""

import time
from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being counted, how many are done, and how many there are if known."""


def silent(what: str, done: int, total: int | None) -> None:
    """Say nothing."""


def in_lines(
    write: Callable[[str], object],
    *,
    every: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Write a line at most every so many seconds, the first one after as many."""
    last = clock()

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if clock() - last >= every:
            last = clock()
            write(f"{what}: {done:,}" + (f" of {total:,}" if total is not None else ""))

    return progress
