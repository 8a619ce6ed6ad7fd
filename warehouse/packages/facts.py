"""Package references, checks and facts: what is due, and what was learned.

Facts are appended when they change; a check is one row per package, replaced each time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pyarrow as pa

from warehouse.database.arrow import TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session

_PER_NAMESPACE = 500
_CONFIRMED = columns(origin=TEXT, package=TEXT, version=TEXT)


def list_due(
    session: Session, *, now: datetime, budget: int, only: tuple[str, str] | None = None
) -> list[Row]:
    """At most `budget` packages to ask for, most wanted first; `only` is one to ask for anyway.

    At most 500 packages of one namespace are due per day, so that nobody uses up the budget of all.
    """
    origin, package = only or (None, None)
    return session.rows(
        "packages/list_due_packages",
        now=now,
        budget=budget,
        origin=origin,
        package=package,
        per_namespace=_PER_NAMESPACE,
    )


@contextmanager
def batch(
    session: Session, *, checks: Sequence[Row], hosts: Sequence[Row], **tables: pa.Table
) -> Iterator[None]:
    """One transaction that stores the checks and hosts, and whatever is done inside."""
    given = tables | {
        "batch_checks": session.rows_of("package_checks", checks),
        "batch_hosts": session.rows_of("hosts", hosts),
    }
    with session.transaction(), session.registering(**given):
        session.run("packages/delete_hosts")
        session.run("packages/insert_hosts")
        session.run("packages/touch_checks")
        session.run("packages/delete_package_checks")
        session.run("packages/insert_package_checks")
        yield


def record(
    session: Session,
    *,
    checks: Sequence[Row],
    packages: Sequence[Row],
    versions: Sequence[Row],
    confirmed: Sequence[Tuple],
    hosts: Sequence[Row],
    now: datetime,
) -> int:
    """Store one batch of answers in one transaction; return how many facts were new or changed.

    Rows have the columns of `package_checks`, `package_facts`, `version_facts` and `hosts`.
    `confirmed` are (origin, package, version) whose absence is confirmed now.
    """
    with batch(
        session,
        checks=checks,
        hosts=hosts,
        batch_package_facts=session.rows_of("package_facts", packages),
        batch_version_facts=session.rows_of("version_facts", versions),
        batch_confirmed=table(confirmed, _CONFIRMED),
    ):
        return sum(
            touch(session, "packages/touch_packages", session.table(name, **parameters))
            for name, parameters in (
                ("packages/insert_package_facts", {}),
                ("packages/insert_version_facts", {}),
                ("packages/confirm_package_facts", {"now": now}),
                ("packages/confirm_version_facts", {"now": now}),
            )
        )


def touch(session: Session, name: str, changed: pa.Table) -> int:
    """Note by a statement which packages or purls the next derivation must look at; count them."""
    if changed.num_rows:
        with session.registering(batch_changed=changed):
            session.run(name)
    return changed.num_rows
