"""How each package registry's host was doing: rates, pauses, budgets."""

import pyarrow as pa

from warehouse.database.arrow import COUNT, INSTANT, TEXT, columns
from warehouse.database.session import Row, Session

HOST = columns(
    origin=TEXT,
    share=pa.float64(),
    failures=COUNT,
    closed_until=INSTANT,
    reason=TEXT,
    day=TEXT,
    requests=COUNT,
)


def list_hosts(session: Session) -> list[Row]:
    """What earlier runs learnt of the hosts, as rows of HOST."""
    return session.rows("packages/list_hosts")
