"""One walk into the warehouse, in one transaction: observe, merge, tombstone, move the watermark.

The rules (which of two readings wins, which flags follow, what counts as gone, when to brake) are
in the statements named here; the order is in `commit_walk`. Where readings come from is not known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from warehouse.brake import hold_loss, hold_unmet
from warehouse.staging import KEY, table
from warehouse.warehouse import GENERATION, Row, Session

Batch = Mapping[str, pa.Table]
"""What `warehouse.staging.Readings.tables` gives."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Walk:
    """A drained walk: `asked_at` is upstream's clock when its first request was sent, `started_at`
    ours; `after_commit` is the least number that its pages carry.

    `certain` says that what a full walk does not show is gone, as in a local directory. `retried`
    are the quarantined records that were asked for one by one, `gone` those upstream has not now;
    `unsettled` are names whose versions could not be read again.
    """

    walk_id: str
    upstream: str
    url: str
    full: bool
    since: datetime | None
    asked_at: datetime
    started_at: datetime
    after_commit: int
    pages: int
    stale: bool
    certain: bool = False
    retried: Sequence[Key] = ()
    gone: Sequence[Key] = ()
    unsettled: Sequence[str] = ()


@dataclass(frozen=True)
class Merge:
    """What a committed walk changed.

    `unmet` are known entries that an incremental walk had to show and did not, `missing` counts
    those of a full walk. Unless they are gone it was cut short, so the watermark stays until they
    are confirmed; `pending` is what it becomes then. `unconfirmed` counts what full walks missed.
    """

    entries: int
    new: int
    changed: int
    missing: int
    unconfirmed: int
    vanished: int
    unreadable: int
    unmet: list[Key]
    watermark: datetime | None
    pending: datetime | None


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
    session.parallel()
    _stage(session, batches, bodies=False)
    session.run("select_moved", upstream=upstream)
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
    if the walk lost more than is plausible and `accept_shrink` is not set.
    """
    if not walk.full:
        session.parallel()
    state = read_state(session, walk.upstream)
    now, commit = next_commit(session, state, now)
    unreadable = _stage(session, batches, bodies=True, now=now)
    with session.transaction():
        sweeping = walk.full and not walk.stale
        if unreadable or session.rows("count_quarantined", upstream=walk.upstream)[0]["count"]:
            _quarantine(session, walk, now, sweeping=sweeping)
        entries = _count(session, "count_met")
        horizon = walk.asked_at - overlap
        unmet: list[Key] = []
        if sweeping:
            if not accept_shrink:
                hold_loss(
                    session,
                    upstream=walk.upstream,
                    url=walk.url,
                    certain=walk.certain,
                    before=state.full_walk_entries if state else None,
                    met=entries,
                    horizon=horizon,
                )
        elif walk.since is not None:
            unmet = _keys(
                hold_unmet(
                    session,
                    upstream=walk.upstream,
                    url=walk.url,
                    since=walk.since,
                    met=entries,
                )
            )
        session.run(
            "select_changed",
            upstream=walk.upstream,
            accept_older=accept_shrink,
        )
        new = _count(session, "count_new")
        session.run("update_entries", upstream=walk.upstream, commit=commit)
        session.run("insert_entries", upstream=walk.upstream, now=now, commit=commit)
        session.run("insert_bindings", upstream=walk.upstream, now=now)
        session.run("select_flags", upstream=walk.upstream, sweeping=sweeping, commit=commit)
        session.run("update_flags", upstream=walk.upstream, commit=commit)
        missing = vanished = unconfirmed = 0
        session.run("clear_missing", upstream=walk.upstream, listed=True)
        if sweeping:
            session.run(
                "select_vanished",
                upstream=walk.upstream,
                horizon=horizon,
                certain=walk.certain,
                after_commit=walk.after_commit,
                commit=commit,
                keyless=_count(session, "count_keyless"),
            )
            vanished = session.run(
                "update_vanished", upstream=walk.upstream, now=now, commit=commit
            )
            session.run(
                "mark_missing",
                upstream=walk.upstream,
                horizon=horizon,
                after_commit=walk.after_commit,
                commit=commit,
                now=now,
            )
            counts = session.rows("count_missing", upstream=walk.upstream, now=now)[0]
            missing, unconfirmed = counts["fresh"], counts["missing"]
        touched = session.run(
            "insert_history", upstream=walk.upstream, now=now, walk_id=walk.walk_id, commit=commit
        )
        before = state.watermark if state and state.url == walk.url else None
        pending = None if walk.stale else _watermark(walk, before, now, overlap)
        cut_short = unmet or (missing and not accept_shrink)
        watermark = before if cut_short or walk.stale else pending
        swept = entries if sweeping else None
        _write_state(session, walk, watermark, swept, state, now, commit)
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
        session.run("delete_unsettled", upstream=walk.upstream)
        if walk.unsettled or sweeping:
            session.run(
                "insert_unsettled",
                upstream=walk.upstream,
                names=list(walk.unsettled),
                sweeping=sweeping,
                horizon=horizon,
                now=now,
            )
        if session.rows("list_doubled", upstream=walk.upstream):
            raise AssertionError("an entry would stand twice; the walk was rolled back")
    changed = touched - new
    return Merge(
        entries=entries,
        new=new,
        changed=changed,
        missing=missing,
        unconfirmed=unconfirmed,
        vanished=vanished,
        unreadable=unreadable,
        unmet=unmet,
        watermark=watermark,
        pending=pending,
    )


def list_missing(session: Session, upstream: str) -> list[Key]:
    """Entries that the last full walk did not meet and that are not tombstones yet."""
    return _keys(session.rows("list_missing", upstream=upstream))


def is_committed(session: Session, walk_id: str) -> bool:
    """Whether a walk was merged already, so that its spool is only litter."""
    return bool(session.rows("count_walk", walk_id=walk_id)[0]["count"])


def list_unsettled(session: Session, upstream: str) -> list[str]:
    """Names that earlier pulls could not read again."""
    return [row["name"] for row in session.rows("list_unsettled", upstream=upstream)]


def list_standing(session: Session, upstream: str) -> list[Key]:
    """Some entries that upstream had when they were last looked for."""
    return _keys(session.rows("list_standing", upstream=upstream))


def list_due_retries(session: Session, upstream: str, *, now: datetime, limit: int) -> list[Key]:
    """Quarantined records to ask for again, as far as their key is known."""
    return _keys(session.rows("list_due_retries", upstream=upstream, now=now, limit=limit))


def known_entries(session: Session, upstream: str) -> dict[Key, Row]:
    """Hash of the server.json and instants of every entry of a (small) upstream."""
    rows = session.rows("list_known", upstream=upstream)
    return {(row["name"], row["version"]): row for row in rows}


def settle_missing(
    session: Session,
    upstream: str,
    *,
    gone: Sequence[Key],
    there: Sequence[Key],
    count_hidden: bool,
    watermark: datetime | None,
    now: datetime,
) -> int:
    """Turn entries that upstream confirmed as gone into tombstones; those there miss no longer.

    `count_hidden` notes that a full walk did not show the latter. With `watermark` the walk that
    missed them was whole after all, and the watermark moves.
    """
    now, commit = next_commit(session, read_state(session, upstream), now)
    with session.transaction():
        with session.given(confirmed=table(gone, KEY), reading=table(there, KEY)):
            session.run("create_incoming_unreadable")
            if count_hidden:
                session.run("clear_missing", upstream=upstream, listed=False)
            session.run("select_confirmed", upstream=upstream)
            vanished = session.run("update_vanished", upstream=upstream, now=now, commit=commit)
            session.run(
                "insert_history", upstream=upstream, now=now, walk_id="confirmed", commit=commit
            )
        session.run("touch_state", upstream=upstream, now=now, commit=commit, watermark=watermark)
    return vanished


def next_commit(session: Session, state: State | None, now: datetime) -> tuple[datetime, int]:
    """Instant and number of the next commit; both only rise, whatever the clock does.

    Instants rise over all upstreams, so that a reader of `changes` may go on from the last one.
    """
    last = session.rows("read_last_commit")[0]["at"]
    if last is not None:
        now = max(now, last + timedelta(microseconds=1))
    return now, state.commits + 1 if state else 1


def _quarantine(session: Session, walk: Walk, now: datetime, *, sweeping: bool) -> None:
    """Keep what could not be read, release what this walk settled, plan the next tries."""
    upstream = walk.upstream
    asked, gone = table(walk.retried, KEY), table(walk.gone, KEY)
    with session.given(retries_asked=asked, retries_gone=gone):
        session.run("update_quarantine", upstream=upstream, now=now)
        session.run("insert_quarantine", upstream=upstream, now=now)
        session.run(
            "release_quarantine",
            upstream=upstream,
            now=now,
            sweeping=sweeping,
            started_at=walk.started_at,
        )
        session.run("schedule_retries", upstream=upstream, now=now)


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
    for batch in batches:
        with session.given(**batch):
            session.run("insert_incoming")
            if batch["batch_unreadable"].num_rows:
                session.run("insert_incoming_unreadable")
            if bodies:
                with session.transaction():
                    session.run("select_known_bodies")
                    session.run("insert_packages")
                    session.run("insert_remotes")
                    session.run("insert_contents")
                    session.run("insert_bodies", now=now)
    session.run("select_readings")
    return _count(session, "count_unreadable")


def _watermark(walk: Walk, before: datetime | None, now: datetime, overlap: timedelta) -> datetime:
    """min(asked, now) − overlap; never back in an incremental walk."""
    after = min(walk.asked_at, now) - overlap
    return after if walk.full or before is None else max(before, after)


def _write_state(
    session: Session,
    walk: Walk,
    watermark: datetime | None,
    swept: int | None,
    state: State | None,
    now: datetime,
    commit: int,
) -> None:
    """`swept` counts what a full walk met; None if there was none, or an old copy answered."""
    full = swept is not None
    session.run("delete_state", upstream=walk.upstream)
    session.run(
        "insert_state",
        upstream=walk.upstream,
        url=walk.url,
        watermark=watermark,
        generation=GENERATION if full or state is None else state.generation,
        commits=commit,
        committed_at=now,
        full_walk_at=walk.asked_at if full else (state and state.full_walk_at),
        full_walk_entries=swept if full else (state and state.full_walk_entries),
    )


def _keys(rows: list[Row]) -> list[Key]:
    return [(row["name"], row["version"]) for row in rows]


def _count(session: Session, name: str) -> int:
    return int(session.rows(name)[0]["count"])
