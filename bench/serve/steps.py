"""Steps on a feed that can run in their own process."""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.serve.feeds import change, entries, index, publish
from serve.edition.edition import Edition
from serve.feed.feed import Feed

CHANGES = 500


def live(home: Path) -> Edition:
    edition = Feed(home / "feeds", "default").current()
    assert edition is not None
    return edition


def apart(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Run a step in its own process; return its seconds and its peak memory in MB."""
    with another() as pool:
        return pool.submit(_timed, step, *arguments).result()


def another() -> ProcessPoolExecutor:
    # spawn: a forked child would inherit our memory and so a higher peak.
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _timed(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    begun = time.perf_counter()
    step(*arguments)
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def first(home: Path, count: int) -> None:
    publish(Feed(home / "feeds", "default"), entries(count), "e0000", None)


def more(home: Path, edition: str, seed: int) -> None:
    change(Feed(home / "feeds", "default"), edition, CHANGES, seed)


def indexed(home: Path) -> None:
    index(Feed(home / "feeds", "default"))
