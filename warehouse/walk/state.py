"""The state of an upstream's pull, and its watermark."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from warehouse.database.session import Row, Session
from warehouse.database.warehouse import GENERATION
from warehouse.walk.types import Walk


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
    """The state of an upstream's pull; None before its first walk."""
    rows = session.rows("walk/read_state", upstream=upstream)
    return State(**rows[0]) if rows else None


def summarize(session: Session, upstream: str) -> Row:
    """What is known of an upstream: counts by status, of unreadable records and contested names."""
    return session.rows("report/summarize_upstream", upstream=upstream)[0]


def since_watermark(state: State) -> str:
    """The watermark minus a random part of a second, so that no cache knows the URL."""
    if state.watermark is None:
        raise AssertionError("an incremental walk has a watermark")
    since = state.watermark - timedelta(microseconds=secrets.randbelow(1_000_000))
    return since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def next_commit(session: Session, state: State | None, now: datetime) -> tuple[datetime, int]:
    """Instant and number of the next commit; both only rise, whatever the clock does.

    Instants rise over all upstreams, so that a reader of `changes` can continue after the last one.
    """
    last = session.rows("walk/read_last_commit")[0]["at"]
    if last is not None:
        # One microsecond is DuckDB's resolution of instants.
        now = max(now, last + timedelta(microseconds=1))
    return now, state.commits + 1 if state else 1


def next_watermark(
    walk: Walk, before: datetime | None, now: datetime, overlap: timedelta
) -> datetime:
    """The watermark after a walk that showed all it had to: min(asked, now) − overlap.

    An incremental walk never moves it back.
    """
    after = min(walk.asked_at, now) - overlap
    return after if walk.full or before is None else max(before, after)


def move_watermark(session: Session, upstream: str, watermark: datetime, *, askable: bool) -> None:
    """Move the watermark: the only place that does, in the transaction of the rows that allow it.

    That is the commit of a walk that showed every entry it had to. If entries were missing, it is
    the commit that records the last one's fate. Until then the next walk starts where this one did,
    and the walk confirms nothing. Of an upstream that is not `askable` by `updated_since`, only the
    walk has it.
    """
    if askable:
        session.run("walk/update_watermark", upstream=upstream, watermark=watermark)
    session.run("walk/complete_walk", upstream=upstream, watermark=watermark)


def write_state(
    session: Session,
    walk: Walk,
    swept: int | None,
    state: State | None,
    now: datetime,
    commit: int,
) -> None:
    """Record a commit. The watermark stays, unless the URL changed: then it is reset.

    `swept` counts what a full walk met; None if there was no full walk, or an old copy answered.
    """
    full = swept is not None
    session.run("walk/delete_state", upstream=walk.upstream)
    session.run(
        "walk/insert_state",
        upstream=walk.upstream,
        url=walk.url,
        watermark=state.watermark if state and state.url == walk.url and walk.askable else None,
        generation=GENERATION if full or state is None else state.generation,
        commits=commit,
        committed_at=now,
        full_walk_at=walk.asked_at if full else (state and state.full_walk_at),
        full_walk_entries=swept if full else (state and state.full_walk_entries),
    )
