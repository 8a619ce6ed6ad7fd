"""Pull: from an upstream registry into the warehouse, incrementally by a watermark.

A walk goes to the spool, names in doubt are read again, then one transaction stores all of it and
moves the watermark, so nothing is lost. The first pull is a full walk, later ones start at the
watermark; a full walk also finds what changed silently or is gone. The merge itself is
`warehouse.walk.merge`.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from connectors.errors import BudgetSpent, ConnectorError
from connectors.upstreams.registry import Missing, Registry
from pipelines.progress import Progress, silent
from pipelines.pull.confirm import confirm
from pipelines.pull.readings import batches
from pipelines.pull.spool import PageKind, Spool, Start
from pipelines.pull.survey import Survey, survey
from warehouse.database.session import Row
from warehouse.database.warehouse import GENERATION, Warehouse
from warehouse.errors import BrakeEngaged
from warehouse.walk.brake import hold_empty
from warehouse.walk.merge import commit_walk, is_committed, list_unsettled, names_to_reread
from warehouse.walk.quarantine import list_due_retries
from warehouse.walk.state import State, read_state, since_watermark, summarize
from warehouse.walk.types import Key, Walk

log = logging.getLogger(__name__)

_RETRY_AT_MOST = 20


@dataclass(frozen=True)
class PullReport:
    """One committed pull. `entries` counts what the walk met; `requests` includes retries.

    `unsettled_names` counts names that could not be read again: the next pull tries once more.
    `unmet` counts known entries that the walk did not show; unless all are explained, the watermark
    stays. `totals` are the counts of what is known of the upstream now; empty: as before.
    """

    upstream: str
    kind: str
    pages: int
    entries: int
    new: int
    changed: int
    missing: int
    vanished: int
    unreadable: int
    stale: bool
    watermark: datetime | None
    requests: int = 0
    retried: int = 0
    unmet: int = 0
    reread_names: int = 0
    unsettled_names: int = 0
    resumed_pages: int = 0
    totals: Row = field(default_factory=dict)


def pull(
    warehouse: Warehouse,
    registry: Registry,
    *,
    upstream: str,
    now: Callable[[], datetime],
    spool_folder: Path,
    overlap: timedelta,
    requests: Callable[[], int],
    full: bool = False,
    accept_shrink: bool = False,
    braked: bool = False,
    counted: bool = False,
    progress: Progress = silent,
) -> PullReport:
    """Bring the warehouse up to upstream's present state; a repeat changes nothing.

    `full` forces a full walk (so do `accept_shrink`, a first pull, another URL and a new generation
    of our parser). After a brake (`braked`), an incremental pull deletes nothing. Raises the errors
    of `connectors`, Busy, and BrakeEngaged; in each case the warehouse is unchanged.
    """
    asked_before = requests()
    with Spool.hold(spool_folder / upstream) as spools:
        with warehouse.session() as session:
            state = read_state(session, upstream)
            due = list_due_retries(session, upstream, now=now(), limit=_RETRY_AT_MOST)
            unsettled_before = list_unsettled(session, upstream)
        full = full or accept_shrink or state is None or _must_walk(state, registry)
        spool = spools[0] if full else spools[1]
        _tidy(warehouse, spool, full=full)
        start, resumed = _drain(
            spool, registry, state, full=full, resume=not accept_shrink, now=now, progress=progress
        )
        retries = [] if full or braked else due
        gone = _retry(spool, registry, retries, _commits(state))
        met = survey(spool, _commits(state))
        if not full and not met.entries and registry.is_empty():
            with warehouse.session() as session:
                hold_empty(session, upstream=upstream, url=registry.url)
        to_reread = _names_to_reread(warehouse, spool, met, upstream, unsettled_before, full=full)
        unsettled = _read_again(spool, registry, to_reread, _commits(state), progress)
        spool.sync()
        walk = Walk(
            walk_id=start.walk_id,
            upstream=upstream,
            url=registry.url,
            full=full,
            since=datetime.fromisoformat(start.since) if start.since else None,
            asked_at=met.asked_at,
            started_at=start.started_at,
            after_commit=met.after_commit,
            pages=met.pages,
            stale=met.stale,
            retried=retries,
            gone=gone,
            unsettled=unsettled,
        )
        try:
            with warehouse.session() as session:
                merge = commit_walk(
                    session,
                    walk,
                    batches(spool.pages()),
                    now=now(),
                    overlap=overlap,
                    accept_shrink=accept_shrink,
                )
                # Counting reads every entry, so an hourly pull that met nothing does not.
                moved = merge.new, merge.changed, merge.missing, merge.vanished, merge.unreadable
                same = counted and not full and not gone and not any(moved)
                totals = {} if same else summarize(session, upstream)
        except BrakeEngaged:  # never resume a walk that was refused
            spool.clear()
            raise
        # A full walk covers what an unfinished incremental one has; the reverse is not true.
        for done in spools if full else spools[1:]:
            done.clear()
        vanished, watermark = merge.vanished, merge.watermark
        if (merge.unconfirmed or merge.unmet) and (full or not braked):
            gone_now, watermark = confirm(warehouse, registry, upstream, merge, walk.since, now=now)
            vanished += gone_now
            if gone_now:
                with warehouse.session() as session:
                    totals = summarize(session, upstream)
    return PullReport(
        upstream=upstream,
        kind="full" if full else "incremental",
        requests=requests() - asked_before,
        pages=walk.pages,
        entries=merge.entries,
        new=merge.new,
        changed=merge.changed,
        missing=merge.missing,
        vanished=vanished,
        unreadable=merge.unreadable,
        retried=len(walk.retried),
        unmet=len(merge.unmet),
        reread_names=len(to_reread),
        unsettled_names=len(unsettled),
        resumed_pages=resumed,
        stale=walk.stale,
        watermark=watermark,
        totals=totals,
    )


def _tidy(warehouse: Warehouse, spool: Spool, *, full: bool) -> None:
    """Drop a spool that is not resumed; above all one whose walk was committed already."""
    start = spool.left_behind()
    if start is None:
        return
    with warehouse.session() as session:
        committed = is_committed(session, start.walk_id)
    if committed or not full:
        spool.clear()


def _retry(spool: Spool, registry: Registry, keys: list[Key], after_commit: int) -> list[Key]:
    """Ask for quarantined records one by one; return those that upstream no longer has."""
    gone = []
    for key in keys:
        try:
            answer = registry.version(*key)
        except ConnectorError as error:
            log.warning("quarantined record not read again key=%s error=%s", key, error)
            continue
        if isinstance(answer, Missing):
            gone.append(key)
        else:
            spool.append(answer, after_commit=after_commit, kind=PageKind.VERSION)
    return gone


def _read_again(
    spool: Spool, registry: Registry, names: list[str], after_commit: int, progress: Progress
) -> list[str]:
    """Read all versions of names in doubt; return the names that could not be read."""
    unsettled: list[str] = []
    for done, name in enumerate(names):
        progress("names read again", done, len(names))
        try:
            pages = registry.versions(name)
        except BudgetSpent as error:
            log.warning("names not read again count=%s error=%s", len(names) - done, error)
            return unsettled + names[done:]
        except ConnectorError as error:
            log.warning("name not read again name=%s error=%s", name, error)
            unsettled.append(name)
            continue
        for page in pages:
            spool.append(page, after_commit=after_commit, kind=PageKind.VERSIONS)
    return unsettled


def _commits(state: State | None) -> int:
    return state.commits if state else 0


def _must_walk(state: State, registry: Registry) -> bool:
    """Whether the watermark is missing, or belongs to another parser generation or another URL."""
    return state.watermark is None or state.generation != GENERATION or state.url != registry.url


def _drain(
    spool: Spool,
    registry: Registry,
    state: State | None,
    *,
    full: bool,
    resume: bool,
    now: Callable[[], datetime],
    progress: Progress,
) -> tuple[Start, int]:
    """Walk to the end into the spool; also return how many pages an earlier walk left there."""
    started_at = now()
    start, cursor, resumed = spool.left_behind(), None, 0
    if start is not None and full and resume and _resumable(start, registry, started_at):
        cursor, resumed = _continue(spool)
    if start is None or not resumed:
        since = None if full or state is None else since_watermark(state)
        walk_id = f"{started_at:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}"
        start = Start(registry.url, walk_id, since, started_at)
        spool.begin(start)
    elif cursor is None:  # the earlier walk had its last page already
        return start, resumed
    entries = 0
    for page in registry.walk(since=start.since, cursor=cursor):
        spool.append(page, after_commit=_commits(state))
        entries += len(page.entries)
        progress("entries", entries, state.full_walk_entries if full and state else None)
    spool.sync()
    log.info("walk drained full=%s entries=%s resumed_pages=%s", full, entries, resumed)
    return start, resumed


def _resumable(start: Start, registry: Registry, now: datetime) -> bool:
    # Only on the same day: the pages of an older walk are out of date.
    return (
        start.url == registry.url and start.since is None and start.started_at.date() == now.date()
    )


def _continue(spool: Spool) -> tuple[str | None, int]:
    """The cursor after the last whole page of a walk, and the number of its pages."""
    cursor, count = None, 0
    for page in spool.pages():
        if page.kind == PageKind.LIST:
            cursor, count = page.next_cursor, count + 1
    return cursor, count


def _names_to_reread(
    warehouse: Warehouse,
    spool: Spool,
    survey: Survey,
    upstream: str,
    unsettled_before: list[str],
    *,
    full: bool,
) -> list[str]:
    """Names whose flags need a read of all their versions, and those that earlier pulls left.

    Names that were read already are left out.
    """
    if full:
        names = [name for name, count in survey.latest.items() if count != 1]
    else:
        with warehouse.session() as session:
            names = names_to_reread(session, upstream, batches(spool.pages(), bodies=False))
    return sorted({*names, *unsettled_before} - survey.reread)
