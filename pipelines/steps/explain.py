"""Explain: why a server is in a feed or not, from the verdicts and facts that decided."""

from typing import Any

from pipelines.deployment import Deployment
from pipelines.errors import StepError
from warehouse import feeds

Explanation = dict[str, Any]  # rows of the warehouse, made readable


def explain(deployment: Deployment, feed: str, name: str, version: str | None) -> list[Explanation]:
    """One explanation per version, newest first. Raises StepError if upstream never showed it."""
    with deployment.warehouse.session() as session:
        rows = feeds.explain(session, feed, name, version)
    if not rows:
        what = f"{name}@{version}" if version else name
        raise StepError(
            f"{what} was never seen upstream; check the spelling, or run subregistry pull"
        )
    return [
        {
            "name": row["name"],
            "version": row["version"],
            "decision": {key: row[key] for key in _DECISION if row[key] is not None},
            "treatments": row["treatments"] or [],
            "packages": [
                {k: v for k, v in package.items() if v is not None}
                for package in row["packages"] or []
            ],
        }
        for row in rows
    ]


_DECISION = (
    "upstream",
    "belongs_to",
    "verdict",
    "rule",
    "reason",
    "unknown",
    "status",
    "status_message",
    "is_latest",
    "published_at",
    "updated_at",
    "first_seen",
    "vanished_at",
    "decided_at",
)
