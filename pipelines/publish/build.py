"""Build: from verdicts to a candidate edition on disk. Nothing goes live here."""

import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import msgspec

from pipelines.errors import StepError
from pipelines.progress import Progress, silent
from pipelines.publish.candidates import Key, candidates, counted
from pipelines.publish.switch import new_edition, record_live
from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.edition.bases import rebased
from serve.edition.edition import Edition
from serve.edition.manifests import FORMAT, Basis, Manifest
from serve.edition.records import pulled_at
from serve.feed.feed import Feed
from serve.policy.policy import Policy
from warehouse.curation.decide import is_curated
from warehouse.curation.editions import last_sequence, replace_treatments
from warehouse.curation.feeds import (
    changed_names,
    forget_fingerprints,
    is_known_change,
    last_change,
    read_outline,
    wanted,
)
from warehouse.database.warehouse import Warehouse
from warehouse.rules.outline import Outline

log = logging.getLogger(__name__)

_TOOLHIVE = 10_000  # ToolHive's CLI fails above this number of latest servers


@dataclass(frozen=True)
class BuildReport:
    """A finished candidate; `entries` counts what it would show, without its tombstones.

    `unchanged`: it would serve the same as the live edition.
    """

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
    from_scratch: bool = False,
    public: Collection[str] | None = None,
    progress: Progress = silent,
) -> BuildReport:
    """Write a candidate from the feed's last verdicts; drop it if it equals the live edition.

    `from_scratch` builds without the live edition: every entry counts as changed, and what earlier
    editions showed stays as tombstones, if the warehouse knows it. What a feed never showed of an
    upstream that is not in `public` is not in the edition at all (None: all are public). Raises
    StepError before the first curation, EditionBroken if the live edition cannot be read.
    """
    with feed.held(), warehouse.session() as session:
        session.use_threads(2)
        at = now()
        feed.identify(policy.served)
        live = feed.current_id()
        last = last_sequence(session, policy.name)
        previous = feed.checked(live) if live and not from_scratch else None
        if previous is not None:
            record_live(session, previous)
            # A feed folder from an old backup: readers have seen later editions already.
            if previous.manifest.sequence < last:
                log.warning("feed %s is behind what was published of it: rebuilt", feed.name)
                previous = None
        if not is_curated(session, policy.name, policy.hash):
            raise StepError(
                f"feed {policy.name} has no verdicts of its present document; "
                "run subregistry pull and subregistry curate first"
            )
        edition = new_edition(at)
        basis = Basis(last_change(session, policy.name) or at, _digest(policy, at, public))
        outline, stale = read_outline(session, policy.name), list[Key]()
        since = _alike_since(previous, basis)
        # In a warehouse that was rebuilt or restored, `since` says nothing about its verdicts.
        if since is not None and not is_known_change(session, policy.name, since):
            since = None
        names = changed_names(session, policy.name, since) if since else None
        if previous is not None and names == []:
            if waiting := feed.candidate_id():  # of a document that was taken back
                feed.drop_candidate(waiting)
            _confirm(feed, outline)
            return _report(previous.manifest, unchanged=True)
        if previous is not None:
            previous = rebased(previous, feed.folder)
            if names is not None:
                previous.read_scattered()
        draft = Draft(
            feed=policy.name,
            edition=edition,
            namespace=policy.document.namespace,
            policy_hash=policy.hash,
            previous=previous,
            root=feed.folder,
            now=at,
            follows=live,
            after=last_known(feed, last),  # sequences never repeat, even after a restore
            outline=outline,
            basis=basis,
            names=None if names is None else [name.encode() for name in names],
        )
        entries = candidates(session, draft, policy.name, names, since, stale, public)
        done = counted(entries, lambda n: progress(f"{policy.name}: entries built", n, None))
        built = write_candidate(draft, done, policy.overlays(at))
        forget_fingerprints(session, policy.name, stale)
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
            _confirm(feed, outline)
        else:
            feed.set_candidate(edition)
    if manifest.servers > _TOOLHIVE:
        log.warning("feed %s has %s servers: too many for ToolHive", feed.name, manifest.servers)
    return _report(manifest, unchanged=unchanged)


def _confirm(feed: Feed, outline: Outline) -> None:
    """What is live shows upstream as of the pull that the verdicts rest on."""
    if pulled := pulled_at(outline):
        feed.confirm(pulled)


def _report(manifest: Manifest, *, unchanged: bool) -> BuildReport:
    return BuildReport(
        feed=manifest.feed,
        edition=manifest.edition,
        sequence=manifest.sequence,
        entries=manifest.running,
        servers=manifest.servers,
        tombstones=manifest.tombstones,
        withheld=manifest.withheld,
        held=manifest.held,
        repaired=sum(n for k, n in manifest.treatments.items() if k.startswith("repaired")),
        changed=0 if unchanged else manifest.changed,
        unchanged=unchanged,
    )


def _alike_since(previous: Edition | None, basis: Basis) -> datetime | None:
    """Up to when the previous edition is right about unchanged verdicts; None: not at all."""
    before = previous.manifest.basis if previous else None
    return before.until if before is not None and before.digest == basis.digest else None


def _digest(policy: Policy, now: datetime, public: Collection[str] | None) -> str:
    """A digest of everything besides the verdicts that decides about an edition."""
    overlays = [overlay.model_dump_json() for overlay in policy.overlays(now)]
    parts = [version("subregistry"), str(FORMAT), policy.hash, *overlays, *sorted(public or ())]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def last_known(feed: Feed, last: int) -> int:
    """The largest sequence of a feed that the warehouse (`last`) or the ledger knows."""
    published = feed.ledger.last()
    return max(last, published.sequence if published else 0)
