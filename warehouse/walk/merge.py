"""Merge one walk in one transaction: observe, merge, tombstone, move the watermark.

The rules are in the SQL statements named here: which of two readings wins, which flags follow, what
counts as gone, when to brake. `commit_walk` has their order. Where readings come from is not known
here.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from warehouse.database.session import Row, Session
from warehouse.walk.brake import hold_loss, hold_unmet, hold_unreadable
from warehouse.walk.quarantine import quarantine
from warehouse.walk.state import (
    move_watermark,
    next_commit,
    next_watermark,
    read_state,
    write_state,
)
from warehouse.walk.types import Batch, Key, Merge, Walk, keys


def names_to_reread(session: Session, upstream: str, batches: Iterable[Batch]) -> list[str]:
    """Names whose latest flag an incremental walk cannot decide: read all their versions."""
    session.use_threads(2)
    _stage(session, batches, bodies=False)
    session.run("walk/select_moved", upstream=upstream)
    return [row["name"] for row in session.rows("walk/list_names_to_reread", upstream=upstream)]


def commit_walk(
    session: Session,
    walk: Walk,
    batches: Iterable[Batch],
    *,
    now: datetime,
    overlap: timedelta,
    accept_shrink: bool = False,
) -> Merge:
    """Merge a drained walk. Merging it twice with the same readings changes nothing more.

    If the walk lost more than is plausible, raises BrakeEngaged and changes nothing, unless
    `accept_shrink` is set.
    """
    if not walk.full:
        session.use_threads(2)
    state = read_state(session, walk.upstream)
    now, commit = next_commit(session, state, now)
    unreadable = _stage(session, batches, bodies=True, now=now)
    with session.transaction():
        # Only a full walk without stale pages proves that an entry is absent.
        sweeping = walk.full and not walk.stale
        # Without unreadable records, now or earlier, there is nothing to settle.
        if unreadable or session.rows("walk/count_quarantined", upstream=walk.upstream)[0]["count"]:
            quarantine(session, walk, now, sweeping=sweeping)
        entries = _count(session, "walk/count_met")
        # What changed after this instant may be missing without being gone.
        horizon = walk.asked_at - overlap
        unmet: list[Key] = []
        if sweeping:
            if unreadable and not walk.certain:
                hold_unreadable(session, url=walk.url, unreadable=unreadable)
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
            unmet = keys(
                hold_unmet(
                    session,
                    upstream=walk.upstream,
                    url=walk.url,
                    since=walk.since,
                    met=entries,
                )
            )
        session.run(
            "walk/select_changed",
            upstream=walk.upstream,
            accept_older=accept_shrink or walk.corrects,
        )
        new = _count(session, "walk/count_new")
        session.run("walk/update_entries", upstream=walk.upstream, commit=commit)
        session.run("walk/insert_entries", upstream=walk.upstream, now=now, commit=commit)
        session.run("walk/insert_bindings", upstream=walk.upstream, now=now)
        session.run("walk/select_flags", upstream=walk.upstream, sweeping=sweeping, commit=commit)
        session.run("walk/update_flags", upstream=walk.upstream, commit=commit)
        missing = vanished = unconfirmed = 0
        session.run("walk/clear_missing", upstream=walk.upstream, listed=True)
        if sweeping:
            session.run(
                "walk/select_vanished",
                upstream=walk.upstream,
                horizon=horizon,
                certain=walk.certain,
                after_commit=walk.after_commit,
                commit=commit,
                keyless=_count(session, "walk/count_keyless"),
                accepted=accept_shrink,
            )
            vanished = session.run(
                "walk/update_vanished", upstream=walk.upstream, now=now, commit=commit
            )
            session.run(
                "walk/mark_missing",
                upstream=walk.upstream,
                horizon=horizon,
                after_commit=walk.after_commit,
                commit=commit,
                now=now,
            )
            counts = session.rows("walk/count_missing", upstream=walk.upstream, now=now)[0]
            missing, unconfirmed = counts["fresh"], counts["missing"]
        touched = session.run(
            "walk/insert_history",
            upstream=walk.upstream,
            now=now,
            walk_id=walk.walk_id,
            commit=commit,
        )
        write_state(session, walk, entries if sweeping else None, state, now, commit)
        # A watermark of another URL says nothing about this registry.
        watermark = state.watermark if state and state.url == walk.url else None
        pending = None if walk.stale else next_watermark(walk, watermark, now, overlap)
        # Until missing entries are confirmed, the next walk must start where this one did.
        cut_short = unmet or (missing and not accept_shrink)
        session.run(
            "walk/insert_walk",
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
        if pending is not None and not cut_short:
            move_watermark(session, walk.upstream, pending, askable=walk.askable)
            watermark = pending if walk.askable else None
        session.run("walk/delete_unsettled", upstream=walk.upstream)
        if walk.unsettled or sweeping:
            session.run(
                "walk/insert_unsettled",
                upstream=walk.upstream,
                names=list(walk.unsettled),
                sweeping=sweeping,
                horizon=horizon,
                now=now,
            )
        # DuckDB has no unique index here, so the invariant is checked before the commit.
        if session.rows("walk/list_doubled", upstream=walk.upstream):
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


def is_committed(session: Session, walk_id: str) -> bool:
    """Whether a walk was merged already, so that its spool can be deleted."""
    return bool(session.rows("walk/count_walk", walk_id=walk_id)[0]["count"])


def list_unsettled(session: Session, upstream: str) -> list[str]:
    """Names whose versions earlier pulls could not read again."""
    return [row["name"] for row in session.rows("walk/list_unsettled", upstream=upstream)]


def list_standing(session: Session, upstream: str) -> list[Key]:
    """Some entries that upstream still had at the last check."""
    return keys(session.rows("walk/list_standing", upstream=upstream))


def known_entries(session: Session, upstream: str) -> dict[Key, Row]:
    """Hash of the server.json and instants of every entry of a (small) upstream, by key."""
    rows = session.rows("walk/list_known", upstream=upstream)
    return {(row["name"], row["version"]): row for row in rows}


def _stage(
    session: Session,
    batches: Iterable[Batch],
    *,
    bodies: bool,
    now: datetime | None = None,
) -> int:
    """Fill the temporary tables of a walk; return how many records were unreadable.

    Bodies and what derives from them are keyed by content and only added. So they are committed
    batch by batch: nothing refers to them until the walk's own transaction commits.
    """
    session.run("walk/create_incoming")
    session.run("walk/create_incoming_unreadable")
    for batch in batches:
        with session.registering(**batch):
            session.run("walk/insert_incoming")
            if batch["batch_unreadable"].num_rows:
                session.run("walk/insert_incoming_unreadable")
            if bodies:
                with session.transaction():
                    session.run("walk/select_known_bodies")
                    session.run("walk/insert_packages")
                    session.run("walk/insert_remotes")
                    session.run("walk/insert_contents")
                    session.run("walk/insert_bodies", now=now)
    session.run("walk/select_readings")
    return _count(session, "walk/count_unreadable")


def _count(session: Session, name: str) -> int:
    return int(session.rows(name)[0]["count"])
