"""How each package registry's host was doing: rates, pauses, budgets."""

from warehouse.database.session import Row, Session


def list_hosts(session: Session) -> list[Row]:
    """What earlier runs learnt of the hosts, as rows of `hosts`."""
    return session.rows("packages/list_hosts")
