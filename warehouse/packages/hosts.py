"""The state of each package registry's host: rates, pauses, budgets."""

from datetime import datetime

from warehouse.database.session import Row, Session
from warehouse.database.warehouse import Warehouse


def list_hosts(session: Session) -> list[Row]:
    """What earlier runs learned about the hosts, as rows of `hosts`."""
    return session.rows("packages/list_hosts")


def count_due(warehouse: Warehouse, *, now: datetime) -> list[Row]:
    """Per origin: packages claimed, due, failing, and the state of its host."""
    with warehouse.session() as session:
        return session.rows("report/count_due", now=now)
