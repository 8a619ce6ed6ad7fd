"""Drain: walk an upstream to its end into the spool; a full walk that broke off goes on.

Which kind of walk is needed stands here too.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime

from connectors.upstreams.kinds import kind_of
from connectors.upstreams.registry import Registry
from pipelines.progress import Progress
from pipelines.pull.spool import PageKind, Spool, Start
from warehouse.database.warehouse import GENERATION, Warehouse
from warehouse.walk.merge import is_committed
from warehouse.walk.state import State, since_watermark

log = logging.getLogger(__name__)


def drain(
    warehouse: Warehouse,
    spools: tuple[Spool, Spool],
    registry: Registry,
    state: State | None,
    *,
    full: bool,
    resume: bool,
    now: Callable[[], datetime],
    progress: Progress,
) -> tuple[Spool, Start, int]:
    """Walk to the end into the spool for full or for incremental walks; return it, how the walk was
    started, and how many pages an earlier one left there."""
    spool = spools[0] if full else spools[1]
    _tidy(warehouse, spool, full=full)
    # A loose walk may end anywhere, so what it left must not pass for a walk of the official kind.
    started_at, kind = now(), registry.kind
    start, cursor, resumed = spool.left_behind(), None, 0
    if start is not None and full and resume and _resumable(start, registry, started_at):
        cursor, resumed = _continue(spool, registry)
        if cursor and not registry.promises.ordered:
            cursor, resumed = None, 0  # its cursor may have ended with the walk
    if start is None or not resumed:
        since = None if full or state is None else since_watermark(state)
        walk_id = f"{started_at:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}"
        start = Start(registry.url, walk_id, since, started_at, kind)
        spool.begin(start)
    elif cursor is None:  # the earlier walk had its last page already
        return spool, start, resumed
    entries = 0
    for page in registry.walk(since=start.since, cursor=cursor):
        spool.append(page, after_commit=state.commits if state else 0)
        entries += len(page.entries)
        progress("entries", entries, state.full_walk_entries if full and state else None)
    spool.sync()
    log.info("walk drained full=%s entries=%s resumed_pages=%s", full, entries, resumed)
    return spool, start, resumed


def _resumable(start: Start, registry: Registry, now: datetime) -> bool:
    # Only on the same day: the pages of an older walk are out of date.
    return (
        start.url == registry.url
        and start.kind is registry.kind
        and start.since is None
        and start.started_at.date() == now.date()
    )


def _continue(spool: Spool, registry: Registry) -> tuple[str | None, int]:
    """The cursor after the last whole page of a walk, and the number of its pages.

    Its first page tells what the registry is, if that is not known.
    """
    cursor, count, first = None, 0, None
    for page in spool.pages():
        if page.kind == PageKind.LIST:
            first = first or page
            cursor, count = page.next_cursor, count + 1
    if first is not None and registry.kind is None:
        registry.kind = kind_of(first.entries, has_metadata=first.has_metadata)
    return cursor, count


def _tidy(warehouse: Warehouse, spool: Spool, *, full: bool) -> None:
    """Drop a spool that is not resumed; above all one whose walk was committed already."""
    start = spool.left_behind()
    if start is None:
        return
    with warehouse.session() as session:
        committed = is_committed(session, start.walk_id)
    if committed or not full:
        spool.clear()


def must_walk(state: State, registry: Registry) -> bool:
    """Whether the watermark is missing, belongs to another parser generation or another URL, or
    cannot be asked from."""
    if not registry.promises.updated_since:
        return True
    return state.watermark is None or state.generation != GENERATION or state.url != registry.url
