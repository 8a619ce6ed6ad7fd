"""Release: take names from the upstream they belong to."""

from collections.abc import Sequence

from pipelines.deployment import Deployment
from pipelines.errors import StepError
from warehouse.database.session import Row
from warehouse.walk.bindings import release_names


def release(deployment: Deployment, names: Sequence[str], *, of: str | None = None) -> list[Row]:
    """Let names, or all names of upstream `of`, go to the first upstream that has them now.

    Raises StepError for a name that belongs to nobody; then none was released.
    """
    with deployment.warehouse.session() as session:
        bound = {
            row["name"] for row in session.rows("walk/list_bindings", names=list(names), of=of)
        }
        if missing := set(names) - bound:
            raise StepError(f"no upstream has the name {min(missing)}; nothing was released")
        return release_names(
            session,
            names,
            of=of,
            precedence=list(deployment.settings.sources),
            now=deployment.clock(),
        )
