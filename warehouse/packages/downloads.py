"""How often packages are fetched."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from warehouse.database.arrow import COUNT, INSTANT, TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session
from warehouse.packages.facts import batch

POPULARITY = columns(origin=TEXT, package=TEXT, source=TEXT, downloads=COUNT, observed_at=INSTANT)
COUNT_CHECK = columns(
    origin=TEXT,
    package=TEXT,
    checked_at=INSTANT,
    outcome=TEXT,
    versions_hash=TEXT,
    absences=COUNT,
    missing=pa.list_(TEXT),
    failures=COUNT,
    due_at=INSTANT,
)


def list_due_downloads(
    session: Session,
    counted: Mapping[str, str],
    sources: Sequence[str],
    *,
    now: datetime,
    budget: int,
) -> list[Row]:
    """Packages to count: `counted` maps an origin to its source, `sources` are those asked."""
    pairs = [(origin, source) for origin, source in counted.items() if source in sources]
    return session.rows(
        "packages/list_due_downloads",
        now=now,
        budget=budget,
        origins=[origin for origin, _ in pairs],
        sources=[source for _, source in pairs],
    )


def record_downloads(
    session: Session,
    *,
    checks: Sequence[Tuple],
    counts: Sequence[Tuple],
    hosts: Sequence[Tuple],
) -> None:
    """Store counts as rows of POPULARITY, with when each was asked for and is due again."""
    counted = table(counts, POPULARITY)
    with batch(session, table(checks, COUNT_CHECK), hosts, batch_popularity=counted):
        session.run("packages/insert_popularity")
