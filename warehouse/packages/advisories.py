"""Advisories about exact package versions."""

from collections.abc import Sequence
from datetime import datetime

from warehouse.database.arrow import TEXT, columns, table
from warehouse.database.session import Row, Session
from warehouse.packages.facts import batch, touch

_NAMED = columns(id=TEXT, modified=TEXT)


def list_due_advisories(
    session: Session, *, since: datetime, budget: int, but: Sequence[str] = ()
) -> list[str]:
    """Purls of claimed versions whose advisories were not asked for since an instant.

    At most `budget`, without those in `but`.
    """
    rows = session.rows("packages/list_due_advisories", since=since, budget=budget, but=list(but))
    return [row["purl"] for row in rows]


def list_unread_advisories(
    session: Session, named: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those of (id, modified) that are not stored with that modification."""
    with session.registering(batch_named=table(named, _NAMED)):
        return [
            (row["id"], row["modified"]) for row in session.rows("packages/list_unread_advisories")
        ]


def record_advisories(
    session: Session, *, purls: Sequence[Row], advisories: Sequence[Row], hosts: Sequence[Row]
) -> None:
    """Store rows of `purl_advisories` and of `advisories` in one transaction."""
    tables = {
        "batch_advisories": session.rows_of("advisories", advisories),
        "batch_purls": session.rows_of("purl_advisories", purls),
    }
    with batch(session, checks=(), hosts=hosts, **tables):
        session.run("packages/insert_advisories")
        touch(session, "packages/touch_purls", session.table("packages/list_named_purls"))
        touch(session, "packages/touch_purls", session.table("packages/insert_purl_advisories"))
        session.run("packages/delete_advisory_checks")
        session.run("packages/insert_advisory_checks")
