"""The state of each package registry's host: rates, pauses, budgets."""

from warehouse.database.session import Row, Session


def list_hosts(session: Session) -> list[Row]:
    """What earlier runs learned about the hosts, as rows of `hosts`."""
    return session.rows("packages/list_hosts")
