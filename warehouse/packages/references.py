"""What entries claim, and the packages that these references stand for."""

from collections.abc import Sequence

from warehouse.database.arrow import TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session

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


def list_new_refs(session: Session, rules: str) -> list[Row]:
    """Claimed references not read by these rules, with the four fields that identify them."""
    return session.rows("packages/list_new_refs", rules=rules)


def add_refs(session: Session, refs: Sequence[Tuple]) -> None:
    """Store canonicalised references as rows of REF, in place of what was read of them before."""
    with session.transaction(), session.given(batch_refs=table(refs, REF)):
        session.run("packages/delete_package_refs")
        session.run("packages/insert_package_refs")
