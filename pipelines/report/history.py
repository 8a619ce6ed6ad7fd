"""What the pull left on record: changes, quarantine, and which upstream a name belongs to."""

from datetime import UTC, datetime

from pipelines.errors import UsageError
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse


def changes(warehouse: Warehouse, since: str) -> list[Row]:
    """Every change that we learned of after an instant, in our order; kinds as in the warehouse.

    All changes of one commit share an instant, so going on from the last one loses none. Raises
    UsageError for a text that is no instant.
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
