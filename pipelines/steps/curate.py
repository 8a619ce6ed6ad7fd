"""Curate: a verdict with rule and reason for every entry of a feed, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from serve.policy import Policy
from warehouse.feeds import decide
from warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class CurateReport:
    """`by_rule` counts entries as `verdict:rule`."""

    feed: str
    policy_hash: str
    admitted: int
    excluded: int
    by_rule: dict[str, int]


def curate(warehouse: Warehouse, policy: Policy, *, now: Callable[[], datetime]) -> CurateReport:
    """Decide on every entry anew; the same warehouse and policy give the same verdicts."""
    with warehouse.session() as session:
        counts = decide(
            session,
            policy.name,
            policy.rules,
            default=policy.document.default,
            policy_hash=policy.hash,
            now=now(),
        )
    admitted = sum(row["count"] for row in counts if row["verdict"] == "admit")
    return CurateReport(
        feed=policy.name,
        policy_hash=policy.hash,
        admitted=admitted,
        excluded=sum(row["count"] for row in counts) - admitted,
        by_rule={f"{row['verdict']}:{row['rule']}": row["count"] for row in counts},
    )
