"""Status: what the warehouse holds, where the pull stands, what is due, what is live."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.registries.downloads import COUNTERS
from pipelines.deployment import Deployment
from serve.edition.manifests import read_manifest
from serve.errors import EditionBroken
from serve.policy.policy import Policy
from warehouse.database.session import Row

_WARNED = timedelta(days=7)


@dataclass(frozen=True)
class StatusReport:
    """Rows by subject; empty where nothing was done yet."""

    entries: list[Row]
    upstreams: list[Row]
    packages: list[Row]
    feeds: list[Row]
    blocks: list[Row]


def status(deployment: Deployment) -> StatusReport:
    """Read it all; a warehouse that is not there yet reports nothing and is not made."""
    documents = deployment.documents()
    feeds = [_feed(deployment, policy) for policy in documents.valid]
    feeds += [{"feed": name, "broken": str(error)} for name, error in documents.broken.items()]
    blocks = [msgspec.structs.asdict(found) for found in deployment.blocks.read()]
    if not deployment.settings.warehouse.exists():
        return StatusReport([], [], [], feeds, blocks)
    with deployment.warehouse.session() as session:
        return StatusReport(
            entries=session.rows("report/count_entries"),
            upstreams=session.rows("report/list_upstreams"),
            packages=session.rows("report/count_due", now=deployment.clock()) + _off(deployment),
            feeds=feeds,
            blocks=blocks,
        )


def _off(deployment: Deployment) -> list[Row]:
    """The services that count downloads and were not named: nobody asks them."""
    origins = deployment.origins
    return [{"origin": name, "off": True} for name in COUNTERS if not origins.is_named(name)]


def _expiring(policy: Policy, now: datetime) -> list[str]:
    """Overlays that end within a week, or did."""
    return [
        f"{overlay.name} of {overlay.owner} {'ends' if overlay.active(now) else 'ended'} "
        f"{overlay.until:%Y-%m-%dT%H:%M:%SZ}"
        for overlay in policy.document.overlays
        if overlay.until is not None and overlay.until < now + _WARNED
    ]


def _feed(deployment: Deployment, policy: Policy) -> dict[str, Any]:  # values of a manifest
    name = policy.name
    feed = deployment.feed(name)
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
        "overlays": _expiring(policy, deployment.clock()),
        "candidate": feed.candidate_id() if feed.candidate_id() != live else None,
        "held": feed.hold(),
    }
