"""Download counts of packages."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from warehouse.database.session import Row, Session
from warehouse.packages.facts import batch, touch


def list_due_downloads(
    session: Session,
    counted: Mapping[str, str],
    sources: Sequence[str],
    *,
    now: datetime,
    budget: int,
) -> list[Row]:
    """Packages to count: `counted` maps an origin to its source, `sources` are those to ask."""
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
    checks: Sequence[Row],
    counts: Sequence[Row],
    hosts: Sequence[Row],
) -> None:
    """Store counts as rows of `popularity`, and per package the last check and the next."""
    counted = session.rows_of("popularity", counts)
    with batch(session, checks=checks, hosts=hosts, batch_popularity=counted):
        touch(session, "packages/touch_packages", session.table("packages/list_other_downloads"))
        session.run("packages/insert_popularity")
