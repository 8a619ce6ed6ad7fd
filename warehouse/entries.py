"""One walk into the warehouse, in one transaction: observe, merge, tombstone, move the watermark.

The rules (which of two readings wins, which flags follow, what counts as gone, when to brake) are
in the statements named here; the order is in `commit_walk`. Where readings come from is not known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from warehouse.errors import BrakeEngaged
from warehouse.staging import KEY, table
from warehouse.warehouse import GENERATION, Session

Batch = Mapping[str, pa.Table]
"""What `warehouse.staging.Readings.tables` gives."""


@dataclass(frozen=True)
class Walk:
    """A drained walk: `asked_at` is upstream's clock when its first request was sent."""

    walk_id: str
    upstream: str
    url: str
    full: bool
    since: datetime | None
    asked_at: datetime
    pages: int
    stale: bool


@dataclass(frozen=True)
class Merge:
    """What a committed walk changed."""

    entries: int
    new: int
    changed: int
    missing: int
    vanished: int
    unreadable: int
    watermark: datetime | None
    committed_at: datetime


@dataclass(frozen=True)
class State:
    url: str
    watermark: datetime | None
    generation: int
    full_walk_at: datetime | None
    full_walk_entries: int | None
    commits: int
    committed_at: datetime


def read_state(session: Session, upstream: str) -> State | None:
    """Where the pull of an upstream stands; None before its first walk."""
    found = session.rows("read_state", upstream=upstream)
    return State(**found[0]) if found else None


def names_in_doubt(session: Session, upstream: str, batches: Iterable[Batch]) -> list[str]:
    """Names whose latest flag an incremental walk alone cannot tell; read all their versions."""
    _stage(session, batches, bodies=False)
    session.run("select_changed", upstream=upstream, accept_older=False)
    return [row["name"] for row in session.rows("list_names_in_doubt", upstream=upstream)]


def commit_walk(
    session: Session,
    walk: Walk,
    batches: Iterable[Batch],
    *,
    now: datetime,
    overlap: timedelta,
    accept_shrink: bool = False,
) -> Merge:
    """Merge a drained walk. Running it twice with the same readings changes nothing more.

    The watermark moves only here, with the rows. Raises BrakeEngaged, and then nothing is changed,
    if a full walk lost more than is plausible and `accept_shrink` is not set.
    """
    state = read_state(session, walk.upstream)
    now, commit = _next(state, now)
    unreadable = _stage(session, batches, bodies=True, now=now)
    with session.transaction():
        session.run("update_quarantine", upstream=walk.upstream, now=now)
        session.run("insert_quarantine", upstream=walk.upstream, now=now)
        session.run("release_quarantine", upstream=walk.upstream, now=now)
        entries = _count(session, "count_met")
        horizon = walk.asked_at - overlap
        sweeping = walk.full and not walk.stale
        if sweeping:
            _brake(session, walk, state, horizon, accept_shrink)
        session.run("select_changed", upstream=walk.upstream, accept_older=accept_shrink)
        new = _count(session, "count_new")
        session.run("create_touched")
        session.run("update_entries", upstream=walk.upstream, commit=commit)
        session.run("insert_entries", upstream=walk.upstream, now=now, commit=commit)
        session.run("insert_touched_changed")
        session.run("select_flags", upstream=walk.upstream, sweeping=sweeping)
        session.run("update_flags", upstream=walk.upstream, commit=commit)
        session.run("insert_touched_flags")
        missing = vanished = 0
        session.run("clear_missing", upstream=walk.upstream)
        if sweeping:
            session.run("select_vanished", upstream=walk.upstream, horizon=horizon)
            vanished = session.run(
                "update_vanished", upstream=walk.upstream, now=now, commit=commit
            )
            session.run("insert_touched_vanished")
            missing = session.run("mark_missing", upstream=walk.upstream, horizon=horizon, now=now)
        touched = session.run(
            "insert_history", upstream=walk.upstream, now=now, walk_id=walk.walk_id
        )
        watermark = _watermark(walk, state, now, overlap)
        _write_state(session, walk, watermark, entries, state, now, commit)
        session.run(
            "insert_walk",
            walk_id=walk.walk_id,
            upstream=walk.upstream,
            kind="full" if walk.full else "incremental",
            since=walk.since,
            asked_at=walk.asked_at,
            committed_at=now,
            pages=walk.pages,
            entries=entries,
            new=new,
            changed=touched - new,
            missing=missing,
            vanished=vanished,
            unreadable=unreadable,
            watermark=watermark,
        )
        if session.rows("list_doubled", upstream=walk.upstream):
            raise AssertionError("an entry would stand twice; the walk was rolled back")
    return Merge(entries, new, touched - new, missing, vanished, unreadable, watermark, now)


def list_missing(session: Session, upstream: str) -> list[tuple[str, str]]:
    """Entries that the last full walk did not meet and that are not tombstones yet."""
    rows = session.rows("list_missing", upstream=upstream)
    return [(row["name"], row["version"]) for row in rows]


def settle_missing(
    session: Session,
    upstream: str,
    *,
    gone: Sequence[tuple[str, str]],
    there: Sequence[tuple[str, str]],
    now: datetime,
) -> int:
    """Turn missing entries that upstream confirmed as gone into tombstones; forget the others."""
    now, commit = _next(read_state(session, upstream), now)
    with session.transaction():
        with session.given(confirmed=table(gone, KEY), reading=table(there, KEY)):
            session.run("create_touched")
            session.run("clear_missing", upstream=upstream)
            session.run("select_confirmed", upstream=upstream)
            vanished = session.run("update_vanished", upstream=upstream, now=now, commit=commit)
            session.run("insert_touched_vanished")
            session.run("insert_history", upstream=upstream, now=now, walk_id="confirmed")
        session.run("touch_state", upstream=upstream, now=now, commit=commit)
    return vanished


def _next(state: State | None, now: datetime) -> tuple[datetime, int]:
    """Instant and number of the next commit; both only rise, whatever the clock does."""
    if state is None:
        return now, 1
    return max(now, state.committed_at + timedelta(microseconds=1)), state.commits + 1


def _stage(
    session: Session,
    batches: Iterable[Batch],
    *,
    bodies: bool,
    now: datetime | None = None,
) -> int:
    """Fill the temporary tables of a walk; returns how many records were unreadable.

    Bodies and what derives from them are keyed by content and only added to, so they are committed
    batch by batch: without the rows of the walk's own transaction nothing refers to them.
    """
    session.run("create_incoming")
    session.run("create_incoming_unreadable")
    unreadable = 0
    for batch in batches:
        unreadable += batch["batch_unreadable"].num_rows
        with session.given(**batch):
            session.run("insert_incoming")
            if batch["batch_unreadable"].num_rows:
                session.run("insert_incoming_unreadable")
            if bodies:
                with session.transaction():
                    session.run("insert_packages")
                    session.run("insert_remotes")
                    session.run("insert_contents")
                    session.run("insert_bodies", now=now)
    session.run("select_readings")
    return unreadable


def _brake(
    session: Session, walk: Walk, state: State | None, horizon: datetime, accepted: bool
) -> None:
    found = session.rows("measure_loss", upstream=walk.upstream, horizon=horizon)[0]
    known, missing, met = found["known"], found["missing"], _count(session, "count_met")
    before = (state.full_walk_entries if state else None) or known
    reason = ""
    if known and not met:
        reason = f"it is empty where {known} entries are known"
    elif missing > max(20, known * 0.005):
        reason = f"{missing} of {known} known entries are gone"
    elif met < before * 0.98 and before - met > 20:
        reason = f"it has {met} entries where the last full walk met {before}"
    elif found["known_newest"] is not None and found["newest"] < found["known_newest"]:
        reason = f"its newest change went back from {found['known_newest']} to {found['newest']}"
    if reason and not accepted:
        raise BrakeEngaged(
            f"{walk.url} looks wiped, restored or cut off: {reason}. Nothing was changed and the "
            "feed stays as it is; if upstream is right, run subregistry pull --accept-shrink",
            missing=missing,
            known=known,
            met=met,
        )


def _watermark(
    walk: Walk, state: State | None, now: datetime, overlap: timedelta
) -> datetime | None:
    """min(asked, now) − overlap; not back in an incremental walk, not at all in a stale one."""
    before = state.watermark if state else None
    if walk.stale:
        return before
    after = min(walk.asked_at, now) - overlap
    return after if walk.full or before is None else max(before, after)


def _write_state(
    session: Session,
    walk: Walk,
    watermark: datetime | None,
    entries: int,
    state: State | None,
    now: datetime,
    commit: int,
) -> None:
    session.run("delete_state", upstream=walk.upstream)
    session.run(
        "insert_state",
        upstream=walk.upstream,
        url=walk.url,
        watermark=watermark,
        generation=GENERATION if walk.full or state is None else state.generation,
        commits=commit,
        committed_at=now,
        full_walk_at=walk.asked_at if walk.full else (state and state.full_walk_at),
        full_walk_entries=entries if walk.full else (state and state.full_walk_entries),
    )


def _count(session: Session, name: str) -> int:
    return int(session.rows(name)[0]["count"])
