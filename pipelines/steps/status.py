"""Status: what the warehouse holds, where the pull stands, what is due, what is live."""

from dataclasses import dataclass
from typing import Any

from connectors.downloads import COUNTERS
from pipelines.deployment import Deployment
from serve.edition import read_manifest
from serve.errors import EditionBroken
from warehouse.warehouse import Row


@dataclass(frozen=True)
class StatusReport:
    """Rows by subject; empty where nothing was done yet."""

    entries: list[Row]
    upstreams: list[Row]
    packages: list[Row]
    feeds: list[Row]


def status(deployment: Deployment) -> StatusReport:
    """Read it all; a warehouse that is not there yet reports nothing and is not made."""
    feeds = [_feed(deployment, policy.name) for policy in deployment.policies()]
    if not deployment.settings.warehouse.exists():
        return StatusReport([], [], [], feeds)
    with deployment.warehouse.session() as session:
        return StatusReport(
            entries=session.rows("count_entries"),
            upstreams=session.rows("list_upstreams"),
            packages=session.rows("count_due", now=deployment.clock()) + _off(deployment),
            feeds=feeds,
        )


def _off(deployment: Deployment) -> list[Row]:
    """The services that count downloads and were not named: nobody asks them."""
    origins = deployment.origins
    return [{"origin": name, "off": True} for name in COUNTERS if not origins.is_named(name)]


def _feed(deployment: Deployment, name: str) -> dict[str, Any]:  # values of a manifest
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
        "candidate": feed.candidate_id() if feed.candidate_id() != live else None,
        "held": feed.hold(),
    }
