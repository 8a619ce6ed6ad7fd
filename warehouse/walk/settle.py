"""Known entries that a walk did not show, once it is known what became of them."""

from collections.abc import Sequence
from datetime import datetime

from warehouse.database.arrow import table
from warehouse.database.session import Session
from warehouse.walk.staging import KEY
from warehouse.walk.state import move_watermark, next_commit, read_state
from warehouse.walk.types import Key, keys


def list_missing(session: Session, upstream: str) -> list[Key]:
    """Entries that the last full walk did not meet and that are not tombstones yet."""
    return keys(session.rows("walk/list_missing", upstream=upstream))


def settle_missing(
    session: Session,
    upstream: str,
    *,
    gone: Sequence[Key],
    there: Sequence[Key],
    count_hidden: bool,
    watermark: datetime | None,
    askable: bool,
    now: datetime,
) -> int:
    """Turn entries that are confirmed as gone into tombstones; return how many.

    `gone` and `there` are missing entries that upstream lacks or still has; the latter are no
    longer missing. `count_hidden` records that a full walk did not show them. `watermark` is the
    value it moves to if these were the last gaps of the walk; else None.
    """
    now, commit = next_commit(session, read_state(session, upstream), now)
    with session.transaction():
        with session.registering(confirmed=table(gone, KEY), reading=table(there, KEY)):
            # clear_missing reads this table; here it must be empty.
            session.run("walk/create_incoming_unreadable")
            if count_hidden:
                session.run("walk/clear_missing", upstream=upstream, listed=False)
            session.run("walk/select_confirmed", upstream=upstream)
            vanished = session.run(
                "walk/update_vanished", upstream=upstream, now=now, commit=commit
            )
            session.run(
                "walk/insert_history",
                upstream=upstream,
                now=now,
                walk_id="confirmed",
                commit=commit,
            )
        session.run("walk/touch_state", upstream=upstream, now=now, commit=commit)
        if watermark is not None:
            move_watermark(session, upstream, watermark, askable=askable)
    return vanished
