"""Pull: from an upstream registry into the warehouse, incrementally by a watermark.

A walk goes to the spool, names in doubt are read again, then one transaction stores all of it and
moves the watermark, so nothing is lost. The first pull is a full walk, later ones start at the
watermark; a full walk also finds what changed silently or is gone. The merge itself is
`warehouse.walk.merge`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from connectors.errors import BudgetSpent, ConnectorError, MalformedPage, UnexpectedStatus
from connectors.upstreams.kinds import Kind
from connectors.upstreams.registry import Missing, Registry
from pipelines.progress import Progress, silent
from pipelines.pull.completion import Completion, next_instant
from pipelines.pull.confirm import confirm
from pipelines.pull.drain import drain, must_walk
from pipelines.pull.readings import batches
from pipelines.pull.spool import PageKind, Spool
from pipelines.pull.survey import Survey, survey
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.errors import BrakeEngaged
from warehouse.walk.brake import hold_empty
from warehouse.walk.merge import (
    commit_walk,
    known_entries,
    list_unsettled,
    names_to_reread,
)
from warehouse.walk.quarantine import list_due_retries
from warehouse.walk.state import State, read_state, summarize
from warehouse.walk.types import Key, Walk

log = logging.getLogger(__name__)

_RETRY_AT_MOST = 20
_NO_SINCE = (400, 404, 422, 501)


@dataclass(frozen=True)
class PullReport:
    """One committed pull. `entries` counts what the walk met; `requests` includes retries.

    `unsettled_names` counts names that could not be read again: the next pull tries once more.
    `unmet` counts known entries that the walk did not show; unless all are explained, the watermark
    stays. `totals` are the counts of what is known of the upstream now; empty: as before.
    `reads_as` is the kind that its registry was read as. `unknown_statuses` counts entries by a
    status word that is not known, of at most ten words: such entries stay.
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
    reads_as: Kind | None = None
    unknown_statuses: dict[str, int] = field(default_factory=dict)


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

    `full` forces a full walk (so do `accept_shrink`, a first pull, another URL, a new generation of
    our parser, and a registry without `updated_since`). After a brake (`braked`), an incremental
    pull deletes nothing. Raises the errors of `connectors`, Busy, and BrakeEngaged; in each case
    the warehouse is unchanged.
    """
    asked_before = requests()
    with Spool.hold(spool_folder / upstream) as spools:
        with warehouse.session() as session:
            state = read_state(session, upstream)
            due = list_due_retries(session, upstream, now=now(), limit=_RETRY_AT_MOST)
            unsettled_before = list_unsettled(session, upstream)
        named = registry.kind is not None
        # Only a registry that showed itself to be like the official one has a watermark.
        if registry.kind is None and state and state.watermark and state.url == registry.url:
            registry.kind = Kind.OFFICIAL
        full = full or accept_shrink or state is None or must_walk(state, registry)
        to_spool = partial(drain, warehouse, spools, registry, state, now=now, progress=progress)
        try:
            spool, start, resumed = to_spool(full=full, resume=not accept_shrink)
        except (MalformedPage, UnexpectedStatus) as error:
            if named or not _may_be_loose(error, registry, state, full=full):
                raise
            log.warning(
                "upstream is not like the official registry, so it is read whole: %s", error
            )
            registry.kind, full = Kind.REGISTRY, True
            spool, start, resumed = to_spool(full=True, resume=False)
        met = survey(spool, _commits(state))
        # Entries behind the first page may show that it is not like the official one after all.
        if full and not named and met.blockless:
            registry.kind = Kind.REGISTRY
        completion = None
        if not registry.promises.blocks:
            completion = _completion(warehouse, spool, upstream, state, now)
        retries = [] if full or braked else due
        gone = _retry(spool, registry, retries, _commits(state))
        if not full and not met.entries and registry.is_empty():
            with warehouse.session() as session:
                hold_empty(session, upstream=upstream, url=registry.url)
        to_reread: list[str] = []
        if registry.promises.blocks:
            to_reread = _names_to_reread(
                warehouse, spool, met, upstream, unsettled_before, full=full
            )
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
            askable=registry.promises.updated_since,
            corrects=_corrects(registry, state, full=full) and not met.stale,
        )
        try:
            with warehouse.session() as session:
                merge = commit_walk(
                    session,
                    walk,
                    batches(spool.pages(), read=completion.records if completion else None),
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
        reads_as=registry.kind,
        unknown_statuses=completion.unknown_statuses if completion else {},
    )


def _may_be_loose(
    error: MalformedPage | UnexpectedStatus, registry: Registry, state: State | None, *, full: bool
) -> bool:
    """Whether an error only says that upstream promises less than the official registry."""
    if isinstance(error, UnexpectedStatus):
        return not full and error.status in _NO_SINCE
    proved = state is not None and state.url == registry.url and state.watermark is not None
    return registry.kind is Kind.OFFICIAL and not proved


def _corrects(registry: Registry, state: State | None, *, full: bool) -> bool:
    """Whether earlier walks read the registry loosely, so that its own instants come only now."""
    before = state is not None and state.url == registry.url and state.watermark is None
    return before and full and registry.promises.blocks


def _completion(
    warehouse: Warehouse,
    spool: Spool,
    upstream: str,
    state: State | None,
    now: Callable[[], datetime],
) -> Completion:
    with warehouse.session() as session:
        known = known_entries(session, upstream)
    completion = Completion(known, next_instant(state, now()))
    completion.survey_pages(spool.pages())
    completion.survey_kept()
    return completion


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
