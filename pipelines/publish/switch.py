"""Switch: make a candidate live after the gate, and record the edition."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pipelines.errors import GateRefused, Refused, StepError
from pipelines.progress import Progress, silent
from pipelines.publish.gate import ShrinkLimits, examine
from serve.build.rollback import write_rollback
from serve.edition.edition import Edition
from serve.edition.verification import verify
from serve.errors import NoEdition, ServeError
from serve.feed.feed import Feed
from serve.feed.retention import Retention
from warehouse.curation.editions import record_edition
from warehouse.database.session import Session
from warehouse.database.warehouse import Warehouse


@dataclass(frozen=True)
class SwitchReport:
    """An edition that went live; `entries` counts what it shows, without its tombstones."""

    feed: str
    edition: str
    sequence: int
    published_at: datetime
    entries: int
    tombstones: int
    changed: int
    removed_editions: int


def examine_candidate(
    feed: Feed, limits: ShrinkLimits, *, now: Callable[[], datetime], progress: Progress = silent
) -> list[str]:
    """Why the candidate must not go live; empty when it may.

    Raises NoEdition without one, EditionBroken if its files are not what was built.
    """
    edition = _candidate(feed)
    verify(feed.editions / edition)
    return examine(feed, feed.open(edition), limits, now=now, progress=progress)


def refusal(feed: Feed, edition: str, problems: list[str]) -> GateRefused:
    return GateRefused(
        f"candidate {edition} of feed {feed.name} was not switched: {'; '.join(problems)}. "
        "The live edition stays; if this is meant, run "
        f"subregistry switch --feed {feed.name} --accept --reason WHY",
        reasons=problems,
        edition=edition,
    )


def switch(
    warehouse: Warehouse,
    feed: Feed,
    *,
    now: Callable[[], datetime],
    limits: ShrinkLimits,
    retention: Retention,
    accept: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> SwitchReport:
    """Replace the live edition by the candidate; a repeat changes nothing.

    `accept` overrides the gate, except for broken files; `resume` ends a hold with the switch.
    Raises Refused at the gate and while the feed is held, NoEdition without a candidate, and the
    errors of `serve.feed.feed`.
    """
    with feed.held():
        edition = _candidate(feed)
        if (held := feed.hold()) and not resume:
            raise Refused(
                f"candidate {edition} of feed {feed.name} was not switched: {held}. "
                f"When the cause is mended, run subregistry switch --feed {feed.name} --resume"
            )
        problems = [] if accept else examine_candidate(feed, limits, now=now, progress=progress)
        if problems:
            raise refusal(feed, edition, problems)
        report = _live(warehouse, feed, edition, now=now, retention=retention)
        if resume:
            # Last, so that a switch that is refused or fails does not end the hold.
            feed.set_hold(None)
        return report


def go_back(
    warehouse: Warehouse,
    feed: Feed,
    to: str,
    *,
    now: Callable[[], datetime],
    retention: Retention,
) -> SwitchReport:
    """Serve the content of edition `to` again, as a new edition, and hold the feed there.

    Raises NoEdition if nothing is live, or `to` never was or is not kept, StepError if it is the
    live edition, EditionBroken if one of the two is damaged.
    """
    with feed.held():
        current = feed.current_id()
        if current is None:
            raise NoEdition(f"feed {feed.name} has no live edition to go back from")
        if current == to:
            raise StepError(f"edition {to} of feed {feed.name} is the live one; nothing was done")
        if to not in feed.ledger.read():
            raise NoEdition(f"feed {feed.name} has no edition {to} that was live")
        live, target, at = feed.checked(current), feed.checked(to), now()
        with warehouse.session() as session:
            record_live(session, live)
        built = write_rollback(
            target,
            live=live,
            edition=new_edition(at),
            root=feed.folder,
            now=at,
        )
        edition, before = built.manifest.edition, feed.hold()
        # The hold comes first: after a crash in between, no refresh may undo the rollback.
        feed.set_hold(f"it was taken back to edition {to} at {at:%Y-%m-%dT%H:%M:%SZ}")
        feed.set_candidate(edition)
        try:
            return _live(warehouse, feed, edition, now=now, retention=retention)
        except ServeError:
            feed.set_hold(before)
            feed.drop_candidate(edition)
            raise


def new_edition(at: datetime) -> str:
    """An ID for an edition that is built at an instant."""
    return f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _live(
    warehouse: Warehouse,
    feed: Feed,
    edition: str,
    *,
    now: Callable[[], datetime],
    retention: Retention,
) -> SwitchReport:
    # The session comes first: if the warehouse is busy, nothing goes live.
    with warehouse.session() as session:
        manifest = feed.switch(edition, now=now)
        live = feed.open(edition)
        published_at = record_live(session, live)
    if pulled := live.records.pulled_at:
        feed.confirm(pulled)
    removed = feed.tidy(retention, now=now())
    return SwitchReport(
        feed=feed.name,
        edition=edition,
        sequence=manifest.sequence,
        published_at=published_at,
        entries=manifest.running,
        tombstones=manifest.tombstones,
        changed=manifest.changed,
        removed_editions=len(removed),
    )


def record_live(session: Session, edition: Edition) -> datetime:
    """Record a live edition in the warehouse, unless it is there; return its instant."""
    manifest = edition.manifest

    def shown(everything: bool) -> Iterator[tuple[str, str]]:
        numbers = range(edition.count) if everything else edition.changed_rows().tolist()
        return (edition.keys.pair(index) for index in numbers)

    if manifest.published_at is None:
        raise AssertionError("a live edition has an instant")
    record_edition(
        session,
        shown,
        previous=manifest.previous,
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
    edition = feed.candidate_id()
    if edition is None:
        raise NoEdition(f"feed {feed.name} has no candidate; run subregistry build")
    return edition
