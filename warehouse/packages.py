"""Package references, checks and facts: what is due, and what was learnt.

Facts are appended when they change; a check is one row per package, replaced each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import pyarrow as pa

from warehouse.staging import COUNT, FLAG, INSTANT, TEXT, Tuple, columns, table
from warehouse.warehouse import Row, Session

REF = columns(
    registry_type=TEXT,
    registry_base_url=TEXT,
    identifier=TEXT,
    version=TEXT,
    origin=TEXT,
    package=TEXT,
    package_version=TEXT,
    purl=TEXT,
    rejected=TEXT,
    version_kind=TEXT,
    rules=TEXT,
)
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
HOST = columns(
    origin=TEXT,
    share=pa.float64(),
    failures=COUNT,
    closed_until=INSTANT,
    reason=TEXT,
    day=TEXT,
    requests=COUNT,
)
POPULARITY = columns(origin=TEXT, package=TEXT, source=TEXT, downloads=COUNT, observed_at=INSTANT)
_COUNT_CHECK = columns(
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
_PER_NAMESPACE = 500
_CONFIRMED = columns(origin=TEXT, package=TEXT, version=TEXT)


def list_new_refs(session: Session, rules: str) -> list[Row]:
    """Claimed references not read by these rules, with the four fields that identify them."""
    return session.rows("list_new_refs", rules=rules)


def add_refs(session: Session, refs: Sequence[Tuple]) -> None:
    """Store canonicalised references as rows of REF, in place of what was read of them before."""
    with session.transaction(), session.given(batch_refs=table(refs, REF)):
        session.run("delete_package_refs")
        session.run("insert_package_refs")


def list_hosts(session: Session) -> list[Row]:
    """What earlier runs learnt of the hosts, as rows of HOST."""
    return session.rows("list_hosts")


def list_due(
    session: Session, *, now: datetime, budget: int, only: tuple[str, str] | None = None
) -> list[Row]:
    """At most `budget` packages to ask for, most wanted first; `only` is one to ask anyway.

    The packages of one namespace are at most 500 a day, so that nobody uses up what is for all.
    """
    origin, package = only or (None, None)
    return session.rows(
        "list_due_packages",
        now=now,
        budget=budget,
        origin=origin,
        package=package,
        per_namespace=_PER_NAMESPACE,
    )


@contextmanager
def _batch(
    session: Session, checks: pa.Table, hosts: Sequence[Tuple], **tables: pa.Table
) -> Iterator[None]:
    """One transaction that notes the checks and the hosts, and whatever is done inside."""
    given = tables | {"batch_checks": checks, "batch_hosts": table(hosts, HOST)}
    with session.transaction(), session.given(**given):
        session.run("delete_hosts")
        session.run("insert_hosts")
        session.run("delete_package_checks")
        session.run("insert_package_checks")
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
    with _batch(
        session,
        table(checks, CHECK),
        hosts,
        batch_package_facts=table(packages, PACKAGE_FACT),
        batch_version_facts=table(versions, VERSION_FACT),
        batch_confirmed=table(confirmed, _CONFIRMED),
    ):
        written = session.run("insert_package_facts") + session.run("insert_version_facts")
        written += session.run("confirm_package_facts", now=now)
        return written + session.run("confirm_version_facts", now=now)


def list_due_advisories(
    session: Session, *, since: datetime, budget: int, but: Sequence[str] = ()
) -> list[str]:
    """Purls of claimed package versions that nobody asked advisories for since an instant."""
    rows = session.rows("list_due_advisories", since=since, budget=budget, but=list(but))
    return [row["purl"] for row in rows]


def list_unread_advisories(
    session: Session, named: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those of (id, modified) that are not known as of that modification."""
    with session.given(batch_named=table(named, _NAMED)):
        return [(row["id"], row["modified"]) for row in session.rows("list_unread_advisories")]


def record_advisories(
    session: Session, *, purls: Sequence[Tuple], advisories: Sequence[Tuple], hosts: Sequence[Tuple]
) -> None:
    """Store which advisories name each purl, and rows of ADVISORY, in one transaction."""
    with (
        session.given(batch_advisories=table(advisories, ADVISORY)),
        _batch(session, table((), _COUNT_CHECK), hosts, batch_purls=table(purls, _PURL)),
    ):
        session.run("insert_advisories")
        session.run("insert_purl_advisories")
        session.run("delete_advisory_checks")
        session.run("insert_advisory_checks")


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
        "list_due_downloads",
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
    with _batch(session, table(checks, _COUNT_CHECK), hosts, batch_popularity=counted):
        session.run("insert_popularity")
