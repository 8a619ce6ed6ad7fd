"""Advisories: ask which known package versions are malicious or vulnerable, each once a day."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import Outcome, PackageRequest, PackageResponse
from connectors.registries.osv import BATCH, OSV
from enrich.advisories import Advisory, read_advisory, read_batch
from pipelines.profile.hosts import host_rows
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.packages import advisories as store

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_STORED = 50
_HALVINGS = 64
"""Requests that one spoilt batch costs at most: a service that answers nonsense is let alone."""
_LATER = (Outcome.RATE_LIMITED, Outcome.UPSTREAM_ERROR)


def advisories(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    end: float,
) -> int:
    """Ask for what is due until `end` (of the monotonic clock); a repeat goes on.

    Which advisories name a version is stored before they are read: one that nobody could read yet
    counts as of unknown severity. Returns how many versions were told of.
    """
    asked, refused = 0, set[str]()
    while time.monotonic() < end:
        with warehouse.session() as session:
            due = store.list_due_advisories(
                session, since=now() - _DAY, budget=BATCH, but=sorted(refused)
            )
        if not due:
            break
        fetched = registries.fetch(PackageRequest(OSV, "", tuple(due)))
        named = read_batch(fetched) if fetched is not None else {}
        if fetched is None or fetched.outcome in _LATER:
            log.warning("advisories not asked for: %s", fetched.detail if fetched else "closed")
            break
        if set(named) != set(due):
            # One version may spoil a batch: ask for each half, and pass over it at last.
            named, bad = _halved(registries, due, end)
            refused |= bad
            log.warning("no answer for %s of %s versions", len(bad), len(due))
        at = now()
        purls = [
            {"purl": purl, "ids": sorted(ids), "source": fetched.source, "observed_at": at}
            for purl, ids in named.items()
        ]
        with warehouse.session() as session:
            hosts = host_rows(registries.states())
            store.record_advisories(session, purls=purls, advisories=(), hosts=hosts)
        asked += len(named)
        _read(warehouse, registries, named, now=now, end=end)
    return asked


def _halved(
    registries: PackageRegistries, due: list[str], end: float
) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Split a refused batch; return the answers, and the versions refused."""
    named: dict[str, dict[str, str]] = {}
    bad: set[str] = set()
    parts, tries = [due], 0
    while parts:
        part, tries = parts.pop(), tries + 1
        if time.monotonic() >= end or tries > _HALVINGS:
            bad |= set(part)
            continue
        fetched = registries.fetch(PackageRequest(OSV, "", tuple(part)))
        found = read_batch(fetched) if fetched is not None else {}
        if set(found) == set(part):
            named |= found
        elif len(part) == 1 or fetched is None or fetched.outcome in _LATER:
            bad |= set(part)
        else:
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return named, bad


def _read(
    warehouse: Warehouse,
    registries: PackageRegistries,
    named: dict[str, dict[str, str]],
    *,
    now: Callable[[], datetime],
    end: float,
) -> None:
    """Read the advisories that are new or were modified; one that cannot be read stops no other."""
    wanted = {key: at for found in named.values() for key, at in found.items()}
    with warehouse.session() as session:
        unread = store.list_unread_advisories(session, list(wanted.items()))
    for first in range(0, len(unread), _STORED):
        rows: list[Row] = []
        for key, modified in unread[first : first + _STORED]:
            one = registries.fetch(PackageRequest(OSV, key, ())) if time.monotonic() < end else None
            found = read_advisory(one) if one is not None and one.outcome == Outcome.OK else None
            if one is not None and found is not None and found.id == key:
                rows.append(_row(found, modified, one, now()))
            elif one is not None:
                log.warning("advisory not read id=%s: %s", key, one.detail or one.outcome)
        with warehouse.session() as session:
            hosts = host_rows(registries.states())
            store.record_advisories(session, purls=(), advisories=rows, hosts=hosts)


def _row(found: Advisory, modified: str, fetched: PackageResponse, at: datetime) -> Row:
    return {
        "id": found.id,
        "modified": modified,
        "severity": found.severity,
        "malicious": found.malicious,
        "withdrawn": found.withdrawn,
        "summary": found.summary,
        "aliases": list(found.aliases),
        "source": fetched.source,
        "observed_at": at,
    }
