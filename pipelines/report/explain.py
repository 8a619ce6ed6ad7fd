"""Explain: what a feed shows of a server and why, and what the last curation says of it.

What is live comes first, from the live edition, as `/explain` of the feed answers it. The last
curation may say otherwise: the gate refused, the feed is held, a block came later.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipelines.accounts import Account
from pipelines.errors import StepError, UsageError
from serve.api.explain import explanation
from serve.api.models import Explanation
from serve.edition.masks import apply_blocks
from serve.entry.reasons import Judged, Reason
from serve.errors import EditionBroken
from serve.feed.feed import Feed
from serve.policy.blocks import Block
from serve.policy.trace import trace
from warehouse.curation import feeds
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.errors import WarehouseError
from warehouse.rules.outline import Outline

ExplainedRow = dict[str, Any]  # rows of the warehouse, made readable


def explain(
    warehouse: Warehouse,
    feed: Feed,
    name: str,
    version: str | None,
    *,
    blocks: Sequence[Block],
    account: Account,
) -> list[ExplainedRow]:
    """One explanation per version, newest first: `live` as the feed answers it, with its `summary`,
    and what the last curation decided of it; `waits` says why that is not live.

    While the warehouse cannot be read, only what is live. Raises StepError if neither knows it.
    """
    live, trouble = _live(feed, name, version, blocks)
    curated: list[ExplainedRow] = []
    try:
        if warehouse.path.exists():
            curated = _curated(warehouse, feed.name, name, version, None)
    except WarehouseError as error:
        trouble = f"the last curation cannot be read: {error}"
    if not live and not curated:
        raise _unseen(name, version, None)
    rows = []
    for one in dict.fromkeys([*live, *(row["version"] for row in curated)]):
        shown = live.get(one)
        summary = shown.summary if shown else f"Version {one} is not known to this feed yet."
        row: ExplainedRow = {"name": name, "version": one, "summary": summary}
        if trouble:
            row["trouble"] = trouble
        row["live"] = msgspec.to_builtins(shown)
        # Several upstreams may have the name; the one it belongs to was decided about.
        decisions = [decided for decided in curated if decided["version"] == one]
        for decided in decisions:
            waits = _waits(feed, shown, decided["decision"], account)
            rows.append(row | ({"waits": waits} if waits else {}) | decided)
        if not decisions:
            rows.append(row)
    return rows


def explain_at(
    warehouse: Warehouse, feed: str, name: str, version: str | None, at: str
) -> list[ExplainedRow]:
    """What the curation said as of an instant, one explanation per version, newest first.

    Raises StepError if upstream never showed it by then, UsageError if `at` is not an instant.
    """
    rows = _curated(warehouse, feed, name, version, _instant(at))
    if not rows:
        raise _unseen(name, version, at)
    return rows


def _live(
    feed: Feed, name: str, version: str | None, blocks: Sequence[Block]
) -> tuple[dict[str, Explanation], str]:
    """What the live edition says of each version, and what is wrong with the edition."""
    try:
        edition = feed.current()
    except EditionBroken as error:
        return {}, str(error)
    if edition is None:
        return {}, f"feed {feed.name} has no live edition; run subregistry run"
    shown = explanation(
        [name.encode("utf-8", "surrogateescape")],
        [version.encode("utf-8", "surrogateescape")] if version else [],
        apply_blocks(edition, blocks),
    )
    return {one.version: one for one in shown.versions} if shown else {}, ""


def _waits(feed: Feed, live: Explanation | None, decision: Row, account: Account) -> str:
    """How the last curation differs from what is live, and what it waits for."""
    said = {key: decision.get(key) for key in ("verdict", "rule", "reason")}
    # What was never shown and is not admitted waits for nothing.
    if (
        said["verdict"] is None
        or (live is None and said["verdict"] != "admit")
        or (
            live is not None
            and said == {"verdict": live.verdict, "rule": live.rule, "reason": live.reason}
        )
    ):
        return ""
    if live is not None and live.rule == "block":
        why = "but it was blocked since"
    elif held := feed.hold():
        why = f"but {held}; subregistry switch --feed {feed.name} --resume ends that"
    elif account.stop is not None and account.stop.edition:  # a gate that refused
        why = (
            f"but the gate refused it: {'; '.join(account.stop.reasons)}; if this is meant, run "
            f"subregistry switch --feed {feed.name} --accept --reason WHY"
        )
    else:
        why = "and goes live with the next subregistry build and subregistry switch"
    what = f"{said['verdict']} (rule {said['rule']}: {said['reason']})"
    return f"The last curation says {what}, {why}."


def _curated(
    warehouse: Warehouse, feed: str, name: str, version: str | None, at: datetime | None
) -> list[ExplainedRow]:
    with warehouse.session() as session:
        rows = feeds.explain(session, feed, name, version, at=at)
        outlines = [
            feeds.outline_of(session, feed, row["outline_hash"], row["decided_at"])
            if row["verdict"] is not None
            else Outline()
            for row in rows
        ]
    return [_readable(row, outline) for row, outline in zip(rows, outlines, strict=True)]


def _unseen(name: str, version: str | None, at: str | None) -> StepError:
    what = f"{name}@{version}" if version else name
    when = f" by {at}" if at else ""
    return StepError(
        f"{what} was never seen upstream{when}; check the spelling, or run subregistry pull"
    )


def _readable(row: Row, outline: Outline) -> ExplainedRow:
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
