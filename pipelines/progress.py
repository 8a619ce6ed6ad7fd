"""Progress reports of long steps. The caller of a step decides how they are shown."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

Progress = Callable[[str, int, int | None], None]
"""Called with what is counted, how many are done, and the total if it is known."""


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


@contextmanager
def in_lines(
    write: Callable[[str], object],
    *,
    every: float = 20.0,
    first: float = 2.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Write a line at most every `every` seconds; the first one after `first` seconds, so that a
    step that is killed leaves a trace.

    While a step counts nothing (it commits, or writes an index), a line says so instead.
    """
    counted = clock()
    shown = counted - every + first
    last = "started"

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal shown, counted, last
        counted, last = clock(), f"{what}: {done:,}" + (f" of {total:,}" if total else "")
        if counted - shown >= every:
            shown = counted
            write(last)

    def wait() -> None:
        nonlocal shown
        while not ended.wait(min(every, first)):
            if clock() - shown >= every:
                shown = clock()
                write(f"{last}; at work for {shown - counted:.0f} s since")

    ended = Event()
    thread = Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        ended.set()
        thread.join()
