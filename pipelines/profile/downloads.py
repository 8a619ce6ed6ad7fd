"""Popularity: ask for download counts, each package once a week, in the time that is left.

Only services that the operator configured are asked. A missing count changes nothing else.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta

from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import UNDECIDED, PackageRequest, PackageResponse
from enrich.downloads import COUNTED, read_count
from pipelines.profile.hosts import host_rows
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.packages import downloads

_WEEK = timedelta(days=7)
_BATCH = 40


def popularity(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    end: float,
    budget: int,
) -> int:
    """Ask for at most `budget` counts until `end` (on the monotonic clock); a repeat continues.

    Returns how many counts came.
    """
    named = [source for source in COUNTED.values() if registries.origins.is_named(source)]
    if not named or time.monotonic() >= end:
        return 0
    with warehouse.session() as session:
        due = downloads.list_due_downloads(session, COUNTED, named, now=now(), budget=budget)
    counts = 0
    with ExitStack() as stack:
        # One thread per service: two requests to one service never overlap.
        pools = {source: ThreadPoolExecutor(1) for source in named}
        for pool in pools.values():
            stack.callback(pool.shutdown, cancel_futures=True)
        for first in range(0, len(due), _BATCH):
            answers = list(_ask(registries, pools, due[first : first + _BATCH], end))
            if not answers:
                continue
            at = now()
            results = [
                (row, fetched, read_count(row["source"], fetched)) for row, fetched in answers
            ]
            known = [
                {
                    "origin": row["origin"],
                    "package": row["package"],
                    "source": row["source"],
                    "downloads": count,
                    "observed_at": at,
                }
                for row, _, count in results
                if count is not None
            ]
            checks = [_check(row, fetched, at) for row, fetched, _ in results]
            with warehouse.session() as session:
                hosts = host_rows(registries.states())
                downloads.record_downloads(session, checks=checks, counts=known, hosts=hosts)
            counts += len(known)
    return counts


def _ask(
    registries: PackageRegistries, pools: dict[str, ThreadPoolExecutor], rows: list[Row], end: float
) -> Iterator[tuple[Row, PackageResponse]]:
    def ask(row: Row) -> PackageResponse | None:
        if time.monotonic() >= end:
            return None
        return registries.fetch(PackageRequest(row["source"], row["package"], ()))

    futures = [(row, pools[row["source"]].submit(ask, row)) for row in rows]
    for row, future in futures:
        if (fetched := future.result()) is not None:
            yield row, fetched


def _check(row: Row, fetched: PackageResponse, at: datetime) -> Row:
    """The check of a count: it is due again in a week, or a day after a failure."""
    due_at = at + (_WEEK / 7 if fetched.outcome in UNDECIDED else _WEEK)
    return {
        "origin": row["source"],
        "package": row["package"],
        "checked_at": at,
        "outcome": fetched.outcome,
        "versions_hash": "",
        "absences": 0,
        "missing": [],
        "failures": 0,
        "due_at": due_at,
    }
