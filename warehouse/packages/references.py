"""The references that entries claim, and the packages that they stand for."""

from collections.abc import Sequence

from warehouse.database.session import Row, Session


def list_new_refs(session: Session, rules: str) -> list[Row]:
    """Claimed references that these rules have not read yet, with their four key fields."""
    return session.rows("packages/list_new_refs", rules=rules)


def add_refs(session: Session, refs: Sequence[Row]) -> None:
    """Store canonicalized references as rows of `package_refs`, and replace older ones."""
    with (
        session.transaction(),
        session.registering(batch_refs=session.rows_of("package_refs", refs)),
    ):
        session.run("packages/delete_package_refs")
        session.run("packages/insert_package_refs")
        session.run("packages/touch_references")
