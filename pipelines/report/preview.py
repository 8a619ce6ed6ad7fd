"""Preview: what a changed feed document would add, withdraw and change, before it is published.

It curates and builds the present document and the changed one as of now, in a temporary folder, and
compares the two editions. Nothing that is live or stored changes.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.errors import StepError, UsageError
from pipelines.publish.candidates import candidates
from pipelines.publish.gate import ShrinkLimits, losses
from pipelines.report.check import cooldown_losses
from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.edition.edition import Edition
from serve.feed.feed import Feed
from serve.policy.blocks import Block, BlockList
from serve.policy.policy import Policy
from serve.policy.reader import Policies, read_policy
from warehouse.curation.verdicts import provisional
from warehouse.database.session import Session
from warehouse.database.warehouse import Warehouse
from warehouse.expressions.compile import compile_predicate


@dataclass(frozen=True)
class PreviewChange:
    """What would happen to an entry: `add`, `withdraw` or `change`, and the reason.

    `before` and `after` are the rules that decide; `details` are the treatments of what is served.
    """

    change: str
    name: str
    version: str
    before: str
    after: str
    reason: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreviewReport:
    """`shown` counts what the feed would show, `by_rule` entries as `verdict:rule`; `gate` says why
    the gate would refuse it, `warnings` what would surprise."""

    feed: str
    added: int
    withdrawn: int
    changed: int
    same: int
    shown: int
    by_rule: dict[str, int]
    gate: tuple[str, ...]
    warnings: tuple[str, ...]
    changes: list[PreviewChange]


def preview(
    warehouse: Warehouse,
    path: Path,
    *,
    documents: Policies,
    blocks: BlockList,
    feed_root: Path,
    limits: Callable[[Policy], ShrinkLimits],
    now: datetime,
) -> PreviewReport:
    """Compare the document at `path` with the present document of the same feed.

    Raises PolicyInvalid, UsageError if there is no file, StepError before the first pull.
    """
    try:
        changed = read_policy(
            path.read_bytes(),
            compile_predicate,
            source=str(path),
            read=lambda name: (path.parent / name).read_bytes(),
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error}); name a feed document") from error
    feed, blocked = Feed(feed_root, changed.name), blocks.read()
    present = next((policy for policy in documents.valid if policy.name == changed.name), None)
    if present is not None and present.hash == changed.hash:
        present = None  # it is in place already: compare with the live edition
    if not warehouse.path.exists():
        raise StepError("there is no warehouse yet; run subregistry pull first")
    with (
        tempfile.TemporaryDirectory(prefix="preview-", dir=_beside(feed)) as folder,
        warehouse.session() as session,
    ):
        for other in feed.folder.parent.glob("preview-*"):
            if other != Path(folder):  # left by a killed run: we hold the warehouse
                shutil.rmtree(other, ignore_errors=True)
        live = feed.current()
        before = live
        if present is not None:
            before = _built(session, feed, present, blocked, live, Path(folder) / "before", now)
        after = _built(session, feed, changed, blocked, live, Path(folder) / "after", now)
        changes, same = [], 0
        for change in _compared(before, after):
            if change is None:
                same += 1
            else:
                changes.append(change)
    kinds = [change.change for change in changes]
    held = [(change.name, change.version) for change in changes if change.after == "cooldown"]
    return PreviewReport(
        changed.name,
        kinds.count("add"),
        kinds.count("withdraw"),
        kinds.count("change"),
        same,
        after.manifest.running,
        after.manifest.verdicts,
        tuple(losses(live, after, limits(changed))) if live else (),
        tuple(cooldown_losses(live, held)) if live else (),
        changes,
    )


def _beside(feed: Feed) -> Path:
    # The preview hard-links files of the live edition, which needs the same file system.
    feed.folder.parent.mkdir(parents=True, exist_ok=True)
    return feed.folder.parent


def _built(
    session: Session,
    feed: Feed,
    policy: Policy,
    blocked: Sequence[Block],
    live: Edition | None,
    folder: Path,
    now: datetime,
) -> Edition:
    """Build an edition of a policy in a temporary folder; files of the live one are linked."""
    folder.mkdir()
    previous = None
    if live:
        for name in live.manifest.files:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(feed.folder / name, place)
        for kind, edition in (("editions", live.manifest.edition), ("bases", live.manifest.base)):
            name = f"{kind}/{edition}/manifest.json"
            os.link(feed.folder / name, folder / name)
        previous = Edition(folder / "editions" / live.manifest.edition)
    book = policy.rule_book(now, blocked)
    with provisional(session, policy.name, book, now=now) as key:
        draft = Draft(
            feed=policy.name,
            edition="preview",
            namespace=policy.document.namespace,
            policy_hash=policy.hash,
            previous=previous,
            root=folder,
            now=now,
            outline=book.outline(),
        )
        built = write_candidate(draft, candidates(session, draft, key), policy.overlays(now))
    return Edition(built.folder)


def _compared(before: Edition | None, after: Edition) -> Iterator[PreviewChange | None]:
    """What differs between two editions, in key order; None for each that is the same."""
    known = after.records.keys  # of every known entry, served or not
    for number in range(len(known)):
        key = known[number].split(b"\0", 1)
        new = after.keys.find(*key)
        old = before.keys.find(*key) if before else None
        is_now = new is not None and not after.deleted(new)
        was = before is not None and old is not None and not before.deleted(old)
        if not was and not is_now:
            continue
        reason = after.records.judged(number).reason
        then = _rule(before, known[number])
        if was and is_now:
            assert before is not None
            assert old is not None
            assert new is not None
            same = before.arrays["signature"][old] == after.arrays["signature"][new]
            change = None if same else "change"
        else:
            change = "add" if is_now else "withdraw"
        if change is None:
            yield None
            continue
        details = tuple(
            f"{treatment.kind} {treatment.rule}: {treatment.detail}"
            for treatment in reason.treatments
        )
        name, version = known.pair(number)
        yield PreviewChange(change, name, version, then, reason.rule, reason.reason, details)


def _rule(edition: Edition | None, key: bytes) -> str:
    if edition is None:
        return "no edition"
    rule = edition.records.rule(key)
    return "unknown" if rule is None else rule
