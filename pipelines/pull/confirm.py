"""Confirm: ask one by one for what a walk did not show, on a route that no cache answers.

Part of the pull, after its commit. An entry that answers 404 becomes a tombstone. If all gaps of a
walk are explained, the walk was complete, and the watermark may move after all.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from connectors.errors import ConnectorError
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.raw_page import RawPage
from connectors.upstreams.registry import Missing, Registry
from warehouse.database.warehouse import Warehouse
from warehouse.walk.merge import list_standing
from warehouse.walk.settle import list_missing, settle_missing
from warehouse.walk.types import Key, Merge

log = logging.getLogger(__name__)

_AT_MOST = 20


def confirm(
    warehouse: Warehouse,
    registry: Registry,
    upstream: str,
    merge: Merge,
    since: datetime | None,
    *,
    now: Callable[[], datetime],
) -> tuple[int, datetime | None]:
    """Ask for the entries that a walk missed, one by one; those that answer 404 are gone.

    Returns how many are gone, and the watermark: it moves only if every gap is explained.
    """
    candidates = merge.unmet
    if not candidates:
        with warehouse.session() as session:
            candidates = list_missing(session, upstream)
    gone: list[Key] = []
    there: list[Key] = []
    explained = 0
    for key in candidates[:_AT_MOST]:
        try:
            answer = registry.version(*key)
        except ConnectorError as error:
            log.warning("missing entry not asked for key=%s error=%s", key, error)
            continue
        (gone if isinstance(answer, Missing) else there).append(key)
        explained += isinstance(answer, Missing) or _is_before(answer, since)
    if gone and not _answers(warehouse, registry, upstream, gone):
        log.warning(
            "upstream has no detail route, so its 404 confirms nothing url=%s", registry.url
        )
        gone, explained = [], 0
    # More than _AT_MOST gaps are never all explained, so the watermark stays.
    watermark = merge.pending if explained == len(candidates) else None
    if watermark is None and (merge.unmet or merge.missing):
        log.warning("walk cut short, watermark kept missing=%s gone=%s", len(candidates), len(gone))
    with warehouse.session() as session:
        vanished = settle_missing(
            session,
            upstream,
            gone=gone,
            there=there,
            count_hidden=not merge.unmet,
            watermark=watermark,
            askable=registry.promises.updated_since,
            now=now(),
        )
    return vanished, watermark or merge.watermark


def _is_before(page: RawPage, since: datetime | None) -> bool:
    """Whether an entry is now in a state from before the walk's window, so it was not shown."""
    entries = [read_entry(raw) for raw in page.entries]
    return since is not None and all(
        isinstance(entry, Entry) and entry.updated_at <= since for entry in entries
    )


def _answers(warehouse: Warehouse, registry: Registry, upstream: str, gone: list[Key]) -> bool:
    """Whether the detail route works: it must show one of a few entries that surely exist."""
    with warehouse.session() as session:
        standing = [key for key in list_standing(session, upstream) if key not in gone]
    for key in standing[:3]:
        try:
            if not isinstance(registry.version(*key), Missing):
                return True
        except ConnectorError as error:
            log.warning("standing entry not asked for key=%s error=%s", key, error)
    return not standing  # with nothing to compare, the 404 is believed
