"""Switch: let a candidate go live, after the gate; and record the edition."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.errors import Refused
from serve.edition import DELETED, Edition, Manifest, verify
from serve.errors import NoEdition
from serve.feed import Feed
from warehouse.feeds import record_edition
from warehouse.warehouse import Session, Warehouse

_FLOOR = 20


@dataclass(frozen=True)
class SwitchReport:
    feed: str
    edition: str
    sequence: int
    published_at: datetime
    entries: int
    tombstones: int
    changed: int
    removed_editions: int


def check_candidate(feed: Feed, *, max_shrink: float) -> list[str]:
    """Why the candidate must not go live; empty when it may. Raises NoEdition without one."""
    candidate = feed.open(_candidate(feed))
    verify(feed.editions / candidate.manifest.edition, feed.segments)
    problems = []
    live = feed.current()
    if live is not None:
        before, after = _running(live), _running(candidate)
        if before - after > max(_FLOOR, before * max_shrink):
            problems.append(
                f"it has {after} running entries where the live edition has {before}: that is more "
                f"than SUBREGISTRY_MAX_SHRINK={max_shrink} allows"
            )
    names = [candidate.key(i).partition(b"\0")[0] for i in range(candidate.count)]
    latest = [name for name, flag in zip(names, candidate.arrays["flags"], strict=True) if flag & 1]
    if len(latest) != len(set(latest)) or set(latest) != set(names):
        problems.append("a server has not exactly one latest version")
    return problems


def switch(
    warehouse: Warehouse,
    feed: Feed,
    *,
    now: Callable[[], datetime],
    max_shrink: float,
    keep: int,
    accept_shrink: bool = False,
) -> SwitchReport:
    """Replace the live edition by the candidate; a repeat changes nothing.

    Raises Refused at the gate, NoEdition without a candidate, and the errors of `serve.feed`.
    """
    with feed.held():
        edition = _candidate(feed)
        problems = check_candidate(feed, max_shrink=1.0 if accept_shrink else max_shrink)
        if problems:
            raise Refused(
                f"candidate {edition} of feed {feed.name} was not switched: {'; '.join(problems)}. "
                "The live edition stays; if this is meant, run subregistry switch --accept-shrink"
            )
        with warehouse.session() as session:
            manifest = feed.switch(edition, now=now())
            published_at = record_live(session, manifest)
        removed = feed.tidy(keep=keep)
    return SwitchReport(
        feed=feed.name,
        edition=edition,
        sequence=manifest.sequence,
        published_at=published_at,
        entries=manifest.entries,
        tombstones=manifest.tombstones,
        changed=manifest.changed,
        removed_editions=len(removed),
    )


def record_live(session: Session, manifest: Manifest) -> datetime:
    """Note a live edition in the warehouse, if that was not done; returns its instant."""
    if manifest.published_at is None:
        raise AssertionError("a live edition has an instant")
    record_edition(
        session,
        feed=manifest.feed,
        edition=manifest.edition,
        sequence=manifest.sequence,
        published_at=manifest.published_at,
        entries=manifest.entries,
        tombstones=manifest.tombstones,
        withheld=manifest.withheld,
        changed=manifest.changed,
        content_hash=manifest.content_hash,
        policy_hash=manifest.policy_hash,
    )
    return manifest.published_at


def _candidate(feed: Feed) -> str:
    found = feed.candidate_id()
    if found is None:
        raise NoEdition(f"feed {feed.name} has no candidate; run subregistry build")
    return found


def _running(edition: Edition) -> int:
    return int(((edition.arrays["flags"] & DELETED) == 0).sum())
