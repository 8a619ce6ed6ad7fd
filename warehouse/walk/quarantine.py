"""Upstream records that could not be read: kept with a reason, and asked for again."""

from datetime import datetime

from warehouse.database.arrow import table
from warehouse.database.session import Session
from warehouse.walk.staging import KEY
from warehouse.walk.types import Key, Walk, keys


def list_due_retries(session: Session, upstream: str, *, now: datetime, limit: int) -> list[Key]:
    """Quarantined records with a known key that are due to be asked for again."""
    return keys(session.rows("walk/list_due_retries", upstream=upstream, now=now, limit=limit))


def quarantine(session: Session, walk: Walk, now: datetime, *, sweeping: bool) -> None:
    """Keep unreadable records, release what this walk settled, schedule the next tries."""
    upstream = walk.upstream
    asked, gone = table(walk.retried, KEY), table(walk.gone, KEY)
    with session.registering(retries_asked=asked, retries_gone=gone):
        session.run("walk/update_quarantine", upstream=upstream, now=now)
        session.run("walk/insert_quarantine", upstream=upstream, now=now)
        session.run(
            "walk/release_quarantine",
            upstream=upstream,
            now=now,
            sweeping=sweeping,
            started_at=walk.started_at,
        )
        session.run("walk/schedule_retries", upstream=upstream, now=now)
