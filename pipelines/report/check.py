"""Check: what the rules of a feed match now, and what values they would see."""

from collections.abc import Sequence
from datetime import datetime

from pipelines.errors import StepError
from serve.policy.blocks import Block
from serve.policy.policy import Policy
from warehouse.curation.verdicts import column_values, count_matches
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.rules.columns import COLUMNS


def matches(
    warehouse: Warehouse, policy: Policy, blocks: Sequence[Block], *, now: datetime
) -> dict[str, int]:
    """How many entries each rule matches, in order; one that comes later counts what it matches
    even if an earlier one decides. Empty before the first pull."""
    if not warehouse.path.exists():
        return {}
    book = policy.rule_book(now, blocks)
    with warehouse.session() as session:
        return count_matches(session, policy.name, book, now=now)


def columns(warehouse: Warehouse, name: str | None, *, now: datetime) -> list[Row]:
    """Every column with its type, source and meaning; with `name`, the values of the latest version
    of a server. Raises StepError for a server that was never seen."""
    if name is None:
        return [
            {
                "column": column,
                "type": f"{facts.kind}{' or NULL' if facts.nullable else ''}",
                "source": facts.source,
                "meaning": facts.meaning,
            }
            for column, facts in COLUMNS.items()
        ]
    values = {}
    if warehouse.path.exists():
        with warehouse.session() as session:
            values = column_values(session, name, now=now)
    if not values:
        raise StepError(f"{name} was never seen upstream; check the spelling")
    return [{"column": column, "value": values[column]} for column in COLUMNS]
