"""Advisories about exact package versions."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from warehouse.database.arrow import INSTANT, TEXT, Tuple, columns, table
from warehouse.database.session import Session
from warehouse.packages.downloads import COUNT_CHECK
from warehouse.packages.facts import batch

ADVISORY = columns(
    id=TEXT,
    modified=TEXT,
    severity=TEXT,
    malicious=pa.bool_(),
    withdrawn=pa.bool_(),
    summary=TEXT,
    aliases=pa.list_(TEXT),
    source=TEXT,
    observed_at=INSTANT,
)
_PURL = columns(purl=TEXT, ids=pa.list_(TEXT), source=TEXT, observed_at=INSTANT)
_NAMED = columns(id=TEXT, modified=TEXT)


def list_due_advisories(
    session: Session, *, since: datetime, budget: int, but: Sequence[str] = ()
) -> list[str]:
    """Purls of claimed package versions that nobody asked advisories for since an instant."""
    rows = session.rows("packages/list_due_advisories", since=since, budget=budget, but=list(but))
    return [row["purl"] for row in rows]


def list_unread_advisories(
    session: Session, named: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those of (id, modified) that are not known as of that modification."""
    with session.given(batch_named=table(named, _NAMED)):
        return [
            (row["id"], row["modified"]) for row in session.rows("packages/list_unread_advisories")
        ]


def record_advisories(
    session: Session, *, purls: Sequence[Tuple], advisories: Sequence[Tuple], hosts: Sequence[Tuple]
) -> None:
    """Store which advisories name each purl, and rows of ADVISORY, in one transaction."""
    with (
        session.given(batch_advisories=table(advisories, ADVISORY)),
        batch(session, table((), COUNT_CHECK), hosts, batch_purls=table(purls, _PURL)),
    ):
        session.run("packages/insert_advisories")
        session.run("packages/insert_purl_advisories")
        session.run("packages/delete_advisory_checks")
        session.run("packages/insert_advisory_checks")
