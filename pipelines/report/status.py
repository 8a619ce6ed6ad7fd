"""Status: what the warehouse holds, where the pull stands, what is due, what is live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from serve.edition.manifests import read_manifest
from serve.errors import EditionBroken
from serve.feed.feed import Feed
from serve.policy.blocks import BlockList
from serve.policy.policy import Policies, Policy
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse

_WARNED = timedelta(days=7)


@dataclass(frozen=True)
class StatusReport:
    """Rows by subject; empty where nothing has run yet."""

    entries: list[Row]
    upstreams: list[Row]
    packages: list[Row]
    feeds: list[Row]
    blocks: list[Row]


def status(
    warehouse: Warehouse,
    documents: Policies,
    blocks: BlockList,
    *,
    feed_root: Path,
    uncounted: Sequence[str],
    now: datetime,
) -> StatusReport:
    """Read everything; a warehouse that does not exist yet reports nothing and is not created.

    `uncounted` are the services for download counts that this deployment does not ask.
    """
    feeds = [_feed(Feed(feed_root, policy.name), policy, now) for policy in documents.valid]
    feeds += [{"feed": name, "broken": str(error)} for name, error in documents.broken.items()]
    blocked = [msgspec.structs.asdict(block) for block in blocks.read()]
    if not warehouse.path.exists():
        return StatusReport([], [], [], feeds, blocked)
    with warehouse.session() as session:
        due = session.rows("report/count_due", now=now)
        return StatusReport(
            entries=session.rows("report/count_entries"),
            upstreams=session.rows("report/list_upstreams"),
            packages=due + [{"origin": name, "off": True} for name in uncounted],
            feeds=feeds,
            blocks=blocked,
        )


def _expiring(policy: Policy, now: datetime) -> list[str]:
    """Overlays that end within a week or have ended."""
    return [
        f"{overlay.name} of {overlay.owner} {'ends' if overlay.active(now) else 'ended'} "
        f"{overlay.until:%Y-%m-%dT%H:%M:%SZ}"
        for overlay in policy.document.overlays
        if overlay.until is not None and overlay.until < now + _WARNED
    ]


def _feed(feed: Feed, policy: Policy, now: datetime) -> dict[str, Any]:  # values of a manifest
    name = policy.name
    try:
        live = feed.current_id()
        if live is None:
            return {"feed": name, "edition": None}
        manifest = read_manifest(feed.editions / live)
    except EditionBroken as error:
        return {"feed": name, "broken": str(error)}
    return {
        "feed": name,
        "edition": live,
        "sequence": manifest.sequence,
        "published_at": manifest.published_at,
        "entries": manifest.entries,
        "tombstones": manifest.tombstones,
        "withheld": manifest.withheld,
        "waiting": manifest.held,
        "overlays": _expiring(policy, now),
        "candidate": feed.candidate_id() if feed.candidate_id() != live else None,
        "held": feed.hold(),
    }
