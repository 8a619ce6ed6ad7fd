"""Build: from verdicts to a candidate edition on disk. Nothing goes live here."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from importlib.metadata import version
from pathlib import Path

import msgspec

from pipelines.errors import StepError
from pipelines.progress import Progress, silent
from pipelines.publish.served_packages import enrichment
from pipelines.publish.switch import new_edition, record_live
from serve.build.candidate import Candidate, forgotten
from serve.build.writer import Built, write_candidate
from serve.edition.bases import rebased
from serve.edition.edition import Edition
from serve.edition.manifests import FORMAT, Basis
from serve.edition.records import pulled_at
from serve.feed.feed import Feed
from serve.policy.policy import Policy
from warehouse.curation.editions import last_sequence, replace_treatments
from warehouse.curation.feeds import (
    changed_names,
    feed_entries,
    forget_prints,
    is_known_change,
    last_change,
    read_outline,
    wanted,
)
from warehouse.curation.verdicts import is_curated
from warehouse.database.session import Row, Session
from warehouse.database.warehouse import Warehouse

log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Upstream, name and version."""

_TOOLHIVE = 10_000  # its CLI fails above so many latest servers


@dataclass(frozen=True)
class BuildReport:
    """A finished candidate; `unchanged` says that it would serve what is live already."""

    feed: str
    edition: str
    sequence: int
    entries: int
    servers: int
    tombstones: int
    withheld: int
    held: int
    repaired: int
    changed: int
    unchanged: bool


def build(
    warehouse: Warehouse,
    policy: Policy,
    feed: Feed,
    *,
    now: Callable[[], datetime],
    anew: bool = False,
    progress: Progress = silent,
) -> BuildReport:
    """Write a candidate from the feed's last verdicts; a candidate like the live one is dropped.

    `anew` builds without the live edition: every entry counts as changed, and what any edition
    showed stays as a tombstone, as far as the warehouse knows of it. Raises StepError before the
    first curation, EditionBroken if the live edition cannot be read.
    """
    with feed.held(), warehouse.session() as session:
        session.parallel()
        at = now()
        feed.identify(policy.served)
        live = feed.current_id()
        last = last_sequence(session, policy.name)
        previous = feed.checked(live) if live and not anew else None
        if previous is not None:
            record_live(session, previous)
            if previous.manifest.sequence < last:
                log.warning("feed %s is behind what was published of it: built anew", feed.name)
                previous = None
        if not is_curated(session, policy.name, policy.hash):
            raise StepError(
                f"feed {policy.name} has no verdicts of its present document; "
                "run subregistry pull and subregistry curate first"
            )
        edition = new_edition(at)
        basis = Basis(last_change(session, policy.name) or at, _digest(policy, at))
        outline, stale = read_outline(session, policy.name), list[Key]()
        since = _alike_since(previous, basis)
        if since is not None and not is_known_change(session, policy.name, since):
            since = None
        names = changed_names(session, policy.name, since) if since else None
        if previous is not None:
            previous = rebased(previous, feed.folder)
            if names is not None:
                previous.read_scattered()
        built = write_policy_candidate(
            session,
            policy,
            policy.name,
            edition=edition,
            previous=previous,
            follows=live,
            after=last_known(feed, last),
            root=feed.folder,
            now=at,
            outline=outline,
            basis=basis,
            names=names,
            since=since,
            stale=stale,
            progress=progress,
        )
        forget_prints(session, policy.name, stale)
        with wanted(session, policy.name, names):
            replace_treatments(session, policy.name, [(policy.name, *t) for t in built.treatments])
        manifest = built.manifest
        unchanged = (
            previous is not None
            and manifest.content_hash == previous.manifest.content_hash
            and manifest.policy_hash == previous.manifest.policy_hash
            and manifest.records_hash == previous.manifest.records_hash
        )
        if unchanged:
            feed.drop_candidate(edition)
            if pulled := pulled_at(outline):
                feed.confirm(pulled)
        else:
            feed.set_candidate(edition)
    if manifest.servers > _TOOLHIVE:
        log.warning("feed %s has %s servers: too many for ToolHive", feed.name, manifest.servers)
    return BuildReport(
        feed=policy.name,
        edition=edition,
        sequence=manifest.sequence,
        entries=manifest.entries,
        servers=manifest.servers,
        tombstones=manifest.tombstones,
        withheld=manifest.withheld,
        held=manifest.held,
        repaired=sum(n for k, n in manifest.treatments.items() if k.startswith("repaired")),
        changed=manifest.changed,
        unchanged=unchanged,
    )


def _alike_since(previous: Edition | None, basis: Basis) -> datetime | None:
    """Up to when verdicts that did not change are shown as by the edition before; None: never."""
    before = previous.manifest.basis if previous else None
    return before.until if before is not None and before.digest == basis.digest else None


def _digest(policy: Policy, now: datetime) -> str:
    """A digest of what decides about an edition beside the verdicts."""
    overlays = [overlay.model_dump_json() for overlay in policy.overlays(now)]
    parts = [version("subregistry"), str(FORMAT), policy.hash, *overlays]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def write_policy_candidate(
    session: Session,
    policy: Policy,
    verdicts: str,
    *,
    edition: str,
    previous: Edition | None,
    follows: str | None,
    after: int,
    root: Path,
    now: datetime,
    outline: bytes,
    basis: Basis | None = None,
    names: list[str] | None = None,
    since: datetime | None = None,
    stale: list[Key] | None = None,
    progress: Progress = silent,
) -> Built:
    """Write what a policy makes of the verdicts under a key, if it is told `names` of those that
    changed `since` an instant; the rest as in `write_candidate`. To `stale` are added those whose
    entries changed since they were decided."""
    entries = _candidates(session, verdicts, now, names, since, previous, stale)
    return write_candidate(
        _counted(entries, lambda done: progress(f"{policy.name}: entries built", done, None)),
        feed=policy.name,
        edition=edition,
        namespace=policy.document.namespace,
        policy_hash=policy.hash,
        previous=previous,
        follows=follows,
        after=after,
        root=root,
        now=now,
        overlays=policy.overlays(now),
        outline=outline,
        basis=basis,
        names=None if names is None else [name.encode() for name in names],
    )


def _counted(entries: Iterator[Candidate], tell: Callable[[int], None]) -> Iterator[Candidate]:
    for number, entry in enumerate(entries, start=1):
        yield entry
        if number % 1000 == 0:
            tell(number)


def last_known(feed: Feed, last: int) -> int:
    """The largest sequence that the warehouse (`last`) or the ledger knows of a feed."""
    published = feed.ledger.last()
    return max(last, published.sequence if published else 0)


def _candidates(
    session: Session,
    feed: str,
    at: datetime,
    names: list[str] | None = None,
    since: datetime | None = None,
    previous: Edition | None = None,
    stale: list[Key] | None = None,
) -> Iterator[Candidate]:
    """Every entry of some servers with its verdict; or of all (None), and then also what was shown
    once and has none any more: else the edition before knows that."""
    with wanted(session, feed, names):
        found = session.rows("curation/list_lost", feed=feed) if names is None else []
        lost = (_lost(row, at) for row in found)
        decided = _decided(session, feed, since, previous, [] if stale is None else stale)
        yield from merge(decided, lost, key=lambda part: part.key)


def _lost(row: Row, at: datetime) -> Candidate:
    published = row["published_at"] or at
    updated = row["updated_at"] or published
    return forgotten(row["name"], row["version"], published_at=published, updated_at=updated)


def _decided(
    session: Session,
    feed: str,
    since: datetime | None,
    previous: Edition | None,
    stale: list[Key],
) -> Iterator[Candidate]:
    def copies(name: str, version: str) -> list[bytes]:
        key = name.encode(), version.encode()
        found = previous.records.raw(*key, deleted=True) if previous else None
        parts = msgspec.json.decode(found, type=dict[str, msgspec.Raw]) if found else {}
        return [bytes(part) for part in parts.values()]

    for row in feed_entries(session, feed, since=since, copies=copies):
        if not row["as_decided"]:
            stale.append((row["upstream"], row["name"], row["version"]))
        yield Candidate(
            name=row["name"],
            version=row["version"],
            admitted=row["verdict"] == "admit",
            rule=row["rule"],
            reason=row["reason"],
            status=row["status"],
            status_message=row["status_message"],
            is_latest=row["is_latest"],
            published_at=row["published_at"],
            updated_at=row["updated_at"],
            status_changed_at=row["status_changed_at"],
            schema_uri=row["schema_uri"],
            server=row["server"].encode() if row["server"] is not None else None,
            meta=row["meta"].encode() if row["meta"] is not None else None,
            enrichment=enrichment(row["packages"]),
            raw=row["raw"].encode() if row["raw"] is not None else None,
            unknown=tuple(row["unknown"]),
            served=row["served"],
            held=row["verdict"] == "hold",
            held_until=row["held_until"],
            atoms=row["atoms"] or "",
            seen=(row["seen"] or "").encode(),
            kept=row["kept"],
        )
