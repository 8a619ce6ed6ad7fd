"""How fresh a feed is, and what to do if it is stale."""

from datetime import UTC, datetime
from typing import Literal

from serve.api import models
from serve.edition.edition import Edition


def health(edition: Edition, confirmed: datetime | None, objective: float) -> models.Health:
    """The body of /health: the live edition, when it went live, and whether it is fresh enough.

    `objective` is the largest age in seconds that is still fresh; 0: any age is.
    """
    manifest = edition.manifest
    freshness: Literal["fresh", "stale", "never"] = "never"
    action: str | None = "run subregistry run: nothing is known of any pull behind this edition"
    if confirmed is not None:
        age = (datetime.now(UTC) - confirmed).total_seconds()
        freshness = "stale" if objective and age > objective else "fresh"
        action = None
        if freshness == "stale":
            action = (
                f"the last pull that this feed shows is {age / 3600:.1f} hours old: see "
                "subregistry status, then subregistry run"
            )
    return models.Health(
        "ok",
        manifest.feed,
        manifest.edition,
        manifest.sequence,
        manifest.published_at,
        manifest.running,
        manifest.tombstones,
        freshness,
        confirmed,
        objective,
        action,
    )
