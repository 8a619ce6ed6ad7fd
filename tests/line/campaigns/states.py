"""The states of entries in the warehouse and in a scripted registry, for comparison."""

from pipelines.line import Line
from tests.support.deployments import Upstream

Key = tuple[str, str]


def states(deployment: Line) -> dict[Key, tuple[str, str | None, bool]]:
    """Status, message and latest flag of each entry in the warehouse, without vanished ones."""
    with deployment.warehouse.session() as session:
        rows = session.text("FROM entries WHERE vanished_at IS NULL").to_pylist()
    return {
        (row["name"], row["version"]): (row["status"], row["status_message"], row["is_latest"])
        for row in rows
    }


def truth(upstream: Upstream) -> dict[Key, tuple[str, str | None, bool]]:
    return {
        key: (row.status, row.status_message, row.is_latest)
        for key, row in upstream.registry.rows().items()
    }
