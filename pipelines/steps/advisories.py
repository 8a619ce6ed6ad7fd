"""Advisories: ask which known package versions are malicious or vulnerable, each once a day."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.osv import BATCH, OSV
from connectors.outcomes import Fetched, Outcome, Target
from connectors.packages import PackageRegistries
from enrich.advisories import Advisory, read_advisory, read_batch
from pipelines.steps.hosts import host_rows
from warehouse import packages as store
from warehouse.staging import Tuple
from warehouse.warehouse import Warehouse

_DAY = timedelta(days=1)


def advisories(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    end: float,
) -> int:
    """Ask for what is due until `end` (of the monotonic clock); a repeat goes on.

    A batch is stored whole, with what its advisories say, or not at all. Returns how many versions
    were asked for.
    """
    asked = 0
    while time.monotonic() < end:
        with warehouse.session() as session:
            due = store.list_due_advisories(session, since=now() - _DAY, budget=BATCH)
        if not due:
            return asked
        fetched = registries.fetch(Target(OSV, "", tuple(due)))
        if fetched is None or fetched.outcome != Outcome.OK:
            return asked
        named = read_batch(fetched)
        if set(named) != set(due):
            return asked  # not the answer to what was asked
        with warehouse.session() as session:
            wanted = {key: at for found in named.values() for key, at in found.items()}
            unread = store.list_unread_advisories(session, list(wanted.items()))
        rows: list[Tuple] = []
        at = now()
        for key, modified in unread:
            one = registries.fetch(Target(OSV, key, ())) if time.monotonic() < end else None
            found = read_advisory(one) if one is not None and one.outcome == Outcome.OK else None
            if one is None or found is None or found.id != key:
                return asked
            rows.append(_row(found, modified, one, at))
        purls = [(purl, sorted(ids), fetched.source, at) for purl, ids in named.items()]
        with warehouse.session() as session:
            hosts = host_rows(registries.states())
            store.record_advisories(session, purls=purls, advisories=rows, hosts=hosts)
        asked += len(due)
    return asked


def _row(found: Advisory, modified: str, fetched: Fetched, at: datetime) -> Tuple:
    return (
        found.id,
        modified,
        found.severity,
        found.malicious,
        found.withdrawn,
        found.summary,
        list(found.aliases),
        fetched.source,
        at,
    )
