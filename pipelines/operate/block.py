"""Block: take a server out of every feed at once, whatever the pipeline is doing.

The list of blocks hides it from readers immediately. Then every feed gets an edition without it, so
that readers who follow changes see the removal.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.audit import AuditLog, user
from pipelines.errors import UsageError
from pipelines.publish.switch import new_edition, record_live
from serve.build.withdrawal import write_blocked
from serve.errors import BlockUnknown, FeedBusy, ServeError
from serve.feed.feed import Feed
from serve.policy.blocks import Block, BlockList
from warehouse.database.warehouse import Warehouse
from warehouse.errors import WarehouseError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockReport:
    """The result for one feed. `hidden`: readers no longer see the target.

    `edition` is the new one that shows the removal to readers who follow changes; None: the feed
    did not show the target, or `trouble` says why the edition waits for the next run.
    """

    feed: str
    target: str
    hidden: bool
    edition: str | None
    trouble: str = ""


def block(
    warehouse: Warehouse,
    root: Path,
    target: str,
    *,
    reason: str,
    by: str | None,
    audit: AuditLog,
    now: Callable[[], datetime],
) -> list[BlockReport]:
    """Block NAME or NAME@VERSION in every feed below `root`; a repeat changes the reason."""
    name, at, version = target.partition("@")
    if not name.strip() or (at and not version) or set("*?") & set(target):
        raise UsageError(f"{target!r} is no server; write NAME or NAME@VERSION, without patterns")
    by = by or user()
    blocks = BlockList(root)
    # The target is hidden from here on, whatever happens to the editions below.
    blocks.add(Block(name, version if at else None, reason, by, now()))
    try:
        audit.add("block", target, reason=reason, by=by)
    except OSError as error:  # a full disk must not keep it in the feeds
        log.warning("%s is blocked, but that is not in the audit log: %s", target, error)
    return [
        _withdrawn(warehouse, Feed(root, folder.name), target, blocks, now=now)
        for folder in _live(root)
    ]


def lift(warehouse: Warehouse, root: Path, target: str, *, now: Callable[[], datetime]) -> Block:
    """End a block; feeds show the target again with their next edition.

    First, each feed that has none yet gets an edition without the target: otherwise readers who
    follow changes do not see that it is back. Raises BlockUnknown, FeedBusy.
    """
    blocks = BlockList(root)
    if target not in {blocked.target for blocked in blocks.read()}:
        raise BlockUnknown(f"{target} is not blocked; see subregistry block --list")
    for folder in _live(root):
        report = _withdrawn(warehouse, Feed(root, folder.name), target, blocks, now=now)
        if report.trouble and report.edition is None:
            raise FeedBusy(f"{target} stays blocked for now: {report.trouble}")
    return blocks.lift(target)


def known_anywhere(root: Path, target: str) -> bool:
    """Whether any live edition has a record of a server or version."""
    name, _, version = target.partition("@")
    for folder in _live(root):
        try:
            edition = Feed(root, folder.name).current()
        except ServeError:  # an edition that cannot be read may have it
            return True
        keys = edition.records.keys if edition else None
        if keys is not None and (
            keys.find(name.encode(), version.encode()) is not None
            if version
            else len(keys.of(name.encode()))
        ):
            return True
    return False


def _live(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.glob("*/current"))


def _withdrawn(
    warehouse: Warehouse,
    feed: Feed,
    target: str,
    blocks: BlockList,
    *,
    now: Callable[[], datetime],
) -> BlockReport:
    try:
        with feed.held():
            live, at = feed.current(), now()
            if live is None:
                return BlockReport(feed.name, target, hidden=True, edition=None)
            edition = new_edition(at)
            built = write_blocked(
                live,
                blocks.read(),
                edition=edition,
                root=feed.folder,
                now=at,
            )
            if built is None:
                return BlockReport(feed.name, target, hidden=True, edition=None)
            feed.set_candidate(edition)
            feed.switch(edition, now=now)
            trouble = _noted(warehouse, feed, edition)
    except (ServeError, OSError) as error:
        return BlockReport(feed.name, target, hidden=True, edition=None, trouble=str(error))
    return BlockReport(feed.name, target, hidden=True, edition=edition, trouble=trouble)


def _noted(warehouse: Warehouse, feed: Feed, edition: str) -> str:
    """Record the edition if the warehouse is free; else the next build does it."""
    try:
        # A block must be fast, so it never waits for a pull that holds the warehouse.
        with warehouse.waiting(0).session() as session:
            record_live(session, feed.open(edition))
    except WarehouseError as error:
        return f"the warehouse hears of it with the next build: {error}"
    return ""
