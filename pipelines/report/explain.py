"""Explain: why a server is in a feed or not, from the verdicts and facts that decided it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from pipelines.errors import StepError, UsageError
from serve.entry.reasons import Judged, Reason
from serve.policy.trace import trace
from warehouse.curation import feeds
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.rules.outline import Outline

ExplainedRow = dict[str, Any]  # rows of the warehouse, made readable


def explain(
    warehouse: Warehouse, feed: str, name: str, version: str | None, *, at: str | None = None
) -> list[ExplainedRow]:
    """One explanation per version, newest first; as of an instant, if `at` is given.

    Raises StepError if upstream never showed it (by then), UsageError if `at` is not an
    instant.
    """
    instant = _instant(at) if at else None
    with warehouse.session() as session:
        rows = feeds.explain(session, feed, name, version, at=instant)
        outlines = [
            feeds.outline_of(session, feed, row["outline_hash"], row["decided_at"])
            if row["verdict"] is not None
            else Outline()
            for row in rows
        ]
    if not rows:
        what = f"{name}@{version}" if version else name
        when = f" by {at}" if at else ""
        raise StepError(
            f"{what} was never seen upstream{when}; check the spelling, or run subregistry pull"
        )
    return [_told(row, outline) for row, outline in zip(rows, outlines, strict=True)]


def _told(row: Row, outline: Outline) -> ExplainedRow:
    explained: ExplainedRow = {
        "name": row["name"],
        "version": row["version"],
        "decision": {key: row[key] for key in _DECISION if row[key] is not None},
    }
    if row["verdict"] is not None:
        reason = Reason(
            "excluded", row["verdict"], row["rule"], row["reason"], held_until=row["held_until"]
        )
        judged = Judged(reason, row["atoms"] or "")
        traced = trace(outline, judged, (row["seen"] or "").encode())
        parts = {"rules": traced.rules, "values": traced.values, "nearest": traced.nearest}
        # Through JSON and back, so that structs become plain dicts and lists.
        explained |= msgspec.json.decode(msgspec.json.encode(parts))
    explained["treatments"] = row["treatments"] or []
    explained["packages"] = [
        {k: v for k, v in package.items() if v is not None} for package in row["packages"] or []
    ]
    return explained


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--at {text!r} is no instant; write 2026-03-01 or 2026-03-01T12:00:00Z"
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_DECISION = (
    "upstream",
    "belongs_to",
    "verdict",
    "rule",
    "reason",
    "unknown",
    "held_until",
    "status",
    "status_message",
    "is_latest",
    "published_at",
    "updated_at",
    "first_seen",
    "vanished_at",
    "decided_at",
)
