"""History: what pulls left on record, as changes and quarantine."""

from datetime import UTC, datetime

from pipelines.errors import UsageError
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse


def changes(warehouse: Warehouse, since: str) -> list[Row]:
    """Every change recorded after an instant, in the order of commits; kinds as in the warehouse.

    All changes of one commit share an instant, so a caller can continue from the last one without
    loss. Raises UsageError if `since` is not an instant.
    """
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"--since {since!r} is no instant; write 2026-03-01 or 2026-03-01T12:00:00Z"
        ) from None
    with warehouse.session() as session:
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return session.rows("report/list_changes", since=at)


def quarantine(warehouse: Warehouse, *, released: bool = False) -> list[Row]:
    """Records that could not be read, open ones first; `released` adds those that were settled."""
    with warehouse.session() as session:
        return session.rows("report/list_quarantine", released=released)
