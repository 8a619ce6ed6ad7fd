"""What the warehouse and a scripted registry say of entries, to compare."""

from pipelines.line import Line
from tests.support.deployments import Upstream

Key = tuple[str, str]


def states(deployment: Line) -> dict[Key, tuple[str, str | None, bool]]:
    """What the warehouse believes: status, message and latest flag; tombstones left out."""
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entries WHERE vanished_at IS NULL").to_pylist()
    return {
        (r["name"], r["version"]): (r["status"], r["status_message"], r["is_latest"]) for r in rows
    }


def truth(upstream: Upstream) -> dict[Key, tuple[str, str | None, bool]]:
    return {
        key: (row.status, row.status_message, row.is_latest)
        for key, row in upstream.registry.rows().items()
    }
