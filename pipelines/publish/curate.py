"""Curate: a verdict with rule and reason for every entry of a feed, in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pipelines.audit import AuditLog
from pipelines.progress import Progress, silent
from serve.disk import JsonFile
from serve.feed.feed import Feed
from serve.policy.blocks import BlockList
from serve.policy.policy import Policy
from warehouse.curation.decide import decide
from warehouse.database.warehouse import Warehouse


@dataclass(frozen=True)
class CurateReport:
    """`by_rule` counts entries as `verdict:rule`; `changed` is how many verdicts were written.

    `drift`: how many servers or verdicts a whole curation found other than the earlier ones had
    left them; it should be 0 (None: nothing was compared).
    """

    feed: str
    policy_hash: str
    admitted: int
    held: int
    excluded: int
    by_rule: dict[str, int]
    changed: int
    drift: int | None


class _Standing(msgspec.Struct, frozen=True):
    name: str
    owner: str
    reason: str
    digest: str


def note_overlays(feed: Feed, policy: Policy, audit: AuditLog, *, now: datetime) -> None:
    """Write to the audit log which overlays came, changed or ended since the last call."""
    file = JsonFile(feed.folder / "overlays.json", _Standing)
    with file.held():
        before = {standing.name: standing for standing in file.read()}
        after = {
            overlay.name: _Standing(
                overlay.name,
                overlay.owner,
                overlay.reason,
                hashlib.sha256(overlay.model_dump_json().encode()).hexdigest(),
            )
            for overlay in policy.overlays(now)
        }
        for name in sorted(before.keys() | after.keys()):
            old, new = before.get(name), after.get(name)
            if old != new:
                what = "changed" if old and new else "set" if new else "ended"
                known = new or old
                assert known is not None
                audit.add(
                    f"overlay {what}", name, reason=known.reason, feed=feed.name, by=known.owner
                )
        # Written last: after a crash, a change is recorded twice rather than never.
        if before != after:
            file.write(list(after.values()))


def curate(
    warehouse: Warehouse,
    policy: Policy,
    blocks: BlockList,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> CurateReport:
    """Decide on every entry; the same warehouse, policy, blocks and instant give the same
    verdicts. Raises RulesFailed, WarehouseFull, BlocksBroken."""
    at = now()
    with warehouse.session() as session:
        curation = decide(
            session,
            policy.name,
            policy.rule_book(at, blocks.read()),
            policy_hash=policy.hash,
            now=at,
            progress=lambda done, total: progress(f"{policy.name}: parts curated", done, total),
        )
    count = Counter({row["verdict"]: 0 for row in curation.counts})
    for row in curation.counts:
        count[row["verdict"]] += row["count"]
    return CurateReport(
        feed=policy.name,
        policy_hash=policy.hash,
        admitted=count["admit"],
        held=count["hold"],
        excluded=count["exclude"],
        by_rule={f"{row['verdict']}:{row['rule']}": row["count"] for row in curation.counts},
        changed=curation.changed,
        drift=curation.drift,
    )
