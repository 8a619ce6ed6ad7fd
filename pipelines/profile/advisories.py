"""Advisories: ask once a day which known package versions are malicious or vulnerable."""

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
"""Limit of requests for one bad batch: a service that answers nonsense is not asked further."""
_LATER = (Outcome.RATE_LIMITED, Outcome.UPSTREAM_ERROR)


def advisories(
    warehouse: Warehouse,
    registries: PackageRegistries,
    *,
    now: Callable[[], datetime],
    end: float,
) -> int:
    """Ask for what is due until `end` (on the monotonic clock); a repeat continues.

    The names of a version's advisories are stored before the advisories are read: one that was not
    read yet counts as of unknown severity. Returns how many versions got an answer.
    """
    asked, refused = 0, set[str]()
    while time.monotonic() < end:
        with warehouse.session() as session:
            due = store.list_due_advisories(
                session, since=now() - _DAY, budget=BATCH, but=sorted(refused)
            )  # refused versions stay due: without `but` they would come back in every round
        if not due:
            break
        fetched = registries.fetch(PackageRequest(OSV, "", tuple(due)))
        named = read_batch(fetched) if fetched is not None else {}
        if fetched is None or fetched.outcome in _LATER:
            log.warning("advisories not asked for: %s", fetched.detail if fetched else "closed")
            break
        if set(named) != set(due):
            # One bad version may spoil a batch: bisect until it is found, then skip it.
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
        answers = read_batch(fetched) if fetched is not None else {}
        if set(answers) == set(part):
            named |= answers
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
    """Read new and modified advisories; one that cannot be read does not stop the others."""
    wanted = {key: modified for by_id in named.values() for key, modified in by_id.items()}
    with warehouse.session() as session:
        unread = store.list_unread_advisories(session, list(wanted.items()))
    for first in range(0, len(unread), _STORED):
        rows: list[Row] = []
        for key, modified in unread[first : first + _STORED]:
            response = (
                registries.fetch(PackageRequest(OSV, key, ())) if time.monotonic() < end else None
            )
            advisory = (
                read_advisory(response)
                if response is not None and response.outcome == Outcome.OK
                else None
            )
            if response is not None and advisory is not None and advisory.id == key:
                rows.append(_row(advisory, modified, response, now()))
            elif response is not None:
                log.warning("advisory not read id=%s: %s", key, response.detail or response.outcome)
        with warehouse.session() as session:
            hosts = host_rows(registries.states())
            store.record_advisories(session, purls=(), advisories=rows, hosts=hosts)


def _row(advisory: Advisory, modified: str, fetched: PackageResponse, at: datetime) -> Row:
    return {
        "id": advisory.id,
        "modified": modified,
        "severity": advisory.severity,
        "malicious": advisory.malicious,
        "withdrawn": advisory.withdrawn,
        "summary": advisory.summary,
        "aliases": list(advisory.aliases),
        "source": fetched.source,
        "observed_at": at,
    }
