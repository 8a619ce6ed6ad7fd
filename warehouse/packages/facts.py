"""Package references, checks and facts: what is due, and what was learnt.

Facts are appended when they change; a check is one row per package, replaced each time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pyarrow as pa

from warehouse.database.arrow import COUNT, FLAG, INSTANT, TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session
from warehouse.packages.hosts import HOST

CHECK = columns(
    origin=TEXT,
    package=TEXT,
    checked_at=INSTANT,
    outcome=TEXT,
    etag=TEXT,
    last_modified=TEXT,
    serial=COUNT,
    versions_hash=TEXT,
    absent_since=INSTANT,
    absences=COUNT,
    missing=pa.list_(TEXT),
    failures=COUNT,
    stale_since=INSTANT,
    due_at=INSTANT,
    source=TEXT,
    variant=TEXT,
    owed=COUNT,
    detail=TEXT,
    missing_since=pa.list_(INSTANT),
    missing_counts=pa.list_(COUNT),
)
PACKAGE_FACT = columns(
    origin=TEXT,
    package=TEXT,
    observed_at=INSTANT,
    source=TEXT,
    state=TEXT,
    outcome=TEXT,
    latest_version=TEXT,
    version_count=COUNT,
    first_published_at=INSTANT,
    last_published_at=INSTANT,
    license=TEXT,
    license_status=TEXT,
    repository_url=TEXT,
    status=TEXT,
    latest_published_at=INSTANT,
    owner_count=COUNT,
    owners_hash=TEXT,
)
VERSION_FACT = columns(
    origin=TEXT,
    package=TEXT,
    version=TEXT,
    observed_at=INSTANT,
    source=TEXT,
    state=TEXT,
    outcome=TEXT,
    published_at=INSTANT,
    yanked=FLAG,
    deprecated=TEXT,
    license=TEXT,
    install_scripts=FLAG,
    provenance=FLAG,
    digest=TEXT,
    server_names=pa.list_(TEXT),
    yanked_reason=TEXT,
    provenance_repository=TEXT,
    newer_versions=COUNT,
    resolved_version=TEXT,
    settled=FLAG,
    evidence_sha256=TEXT,
)
_PER_NAMESPACE = 500
_CONFIRMED = columns(origin=TEXT, package=TEXT, version=TEXT)


def list_due(
    session: Session, *, now: datetime, budget: int, only: tuple[str, str] | None = None
) -> list[Row]:
    """At most `budget` packages to ask for, most wanted first; `only` is one to ask anyway.

    The packages of one namespace are at most 500 a day, so that nobody uses up what is for all.
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
    session: Session, checks: pa.Table, hosts: Sequence[Tuple], **tables: pa.Table
) -> Iterator[None]:
    """One transaction that notes the checks and the hosts, and whatever is done inside."""
    given = tables | {"batch_checks": checks, "batch_hosts": table(hosts, HOST)}
    with session.transaction(), session.given(**given):
        session.run("packages/delete_hosts")
        session.run("packages/insert_hosts")
        session.run("packages/delete_package_checks")
        session.run("packages/insert_package_checks")
        yield


def record(
    session: Session,
    *,
    checks: Sequence[Tuple],
    packages: Sequence[Tuple],
    versions: Sequence[Tuple],
    confirmed: Sequence[Tuple],
    hosts: Sequence[Tuple],
    now: datetime,
) -> int:
    """Store one batch of answers in one transaction; return how many facts were new or changed."""
    with batch(
        session,
        table(checks, CHECK),
        hosts,
        batch_package_facts=table(packages, PACKAGE_FACT),
        batch_version_facts=table(versions, VERSION_FACT),
        batch_confirmed=table(confirmed, _CONFIRMED),
    ):
        written = session.run("packages/insert_package_facts") + session.run(
            "packages/insert_version_facts"
        )
        written += session.run("packages/confirm_package_facts", now=now)
        return written + session.run("packages/confirm_version_facts", now=now)
