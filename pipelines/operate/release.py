"""Release: take names from the upstream they belong to."""

from collections.abc import Sequence
from datetime import datetime

from pipelines.errors import StepError
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.walk.bindings import release_names


def release(
    warehouse: Warehouse,
    names: Sequence[str],
    *,
    of: str | None = None,
    precedence: Sequence[str],
    now: datetime,
) -> list[Row]:
    """Give names, or all names of upstream `of`, to the first upstream, by precedence, that has
    them now.

    Raises StepError if a name belongs to no upstream; then nothing was released.
    """
    with warehouse.session() as session:
        bound = {
            row["name"] for row in session.rows("walk/list_bindings", names=list(names), of=of)
        }
        if missing := set(names) - bound:
            raise StepError(f"no upstream has the name {min(missing)}; nothing was released")
        return release_names(
            session,
            names,
            of=of,
            precedence=list(precedence),
            now=now,
        )
