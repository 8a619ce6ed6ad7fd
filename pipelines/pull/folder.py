"""Pull from a local file or directory of server.json documents: the upstream of in-house servers.

No registry gives instants and flags, so this module makes them by the rules of the official
service: published when first seen, updated when the content changes, the greatest version latest.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import msgspec.structs

from connectors.upstreams.contract import OFFICIAL, Entry, Unreadable, compose, read_entry
from connectors.upstreams.folder import Document, read_documents
from pipelines.pull.pull import PullReport
from pipelines.pull.readings import Record, batches
from pipelines.pull.spool import PageKind, Spool, SpooledPage
from serve.entry.latest import choose_latest
from warehouse.database.session import Row
from warehouse.database.warehouse import Warehouse
from warehouse.walk.merge import commit_walk, known_entries
from warehouse.walk.staging import content_hash
from warehouse.walk.state import read_state, summarize
from warehouse.walk.types import Key, Walk

log = logging.getLogger(__name__)

_KEPT = 65536  # bytes of an unreadable document that the quarantine keeps
_TICK = timedelta(microseconds=1)


def pull_documents(
    warehouse: Warehouse,
    path: Path,
    *,
    upstream: str,
    now: Callable[[], datetime],
    spool_folder: Path,
    accept_shrink: bool = False,
) -> PullReport:
    """Bring the warehouse up to the documents at `path`; an entry without one is deleted at once.

    A document that cannot be read is quarantined; while even its name is unknown, nothing is
    deleted. Raises TerminalError if `path` cannot be read, Busy, and BrakeEngaged.
    """
    with Spool.hold(spool_folder / upstream):
        documents = read_documents(path)
        with warehouse.session() as session:
            state = read_state(session, upstream)
            commits = state.commits if state else 0
            # Instants must rise from commit to commit, even if the clock went back.
            at = max(now(), state.committed_at + _TICK) if state else now()
            records = _records(documents, known_entries(session, upstream), at)
            keyless = [
                record.reason
                for record in records
                if isinstance(record, Unreadable) and not record.name
            ]
            if keyless:
                log.warning("nothing is deleted while a document is unreadable: %s", keyless[0])
            page = SpooledPage((), (), None, at, commits, stale=False, kind=PageKind.LIST)
            merge = commit_walk(
                session,
                Walk(
                    walk_id=f"{at:%Y%m%dT%H%M%S.%f}-documents",
                    upstream=upstream,
                    url=f"file://{path.absolute()}",
                    full=True,
                    since=None,
                    asked_at=at + _TICK,
                    started_at=at,
                    after_commit=commits,
                    pages=len(documents),
                    stale=bool(keyless),
                    certain=True,
                ),
                batches([page], read=lambda _: records),
                now=at,
                overlap=timedelta(0),
                accept_shrink=accept_shrink,
            )
            totals = summarize(session, upstream)
    return PullReport(
        upstream=upstream,
        kind="documents",
        pages=len(documents),
        entries=merge.entries,
        new=merge.new,
        changed=merge.changed,
        missing=merge.missing,
        vanished=merge.vanished,
        unreadable=merge.unreadable,
        stale=bool(keyless),
        watermark=merge.watermark,
        totals=totals,
    )


def _records(documents: list[Document], known: dict[Key, Row], at: datetime) -> list[Record]:
    """Every document as an entry, with the instants and flag that a registry would give it."""
    entries: dict[Key, Entry] = {}
    bad: list[Unreadable] = []
    for document in documents:
        entry = read_entry(compose(document.body, _meta(at, at, is_latest=False)))
        if isinstance(entry, Entry) and (entry.name, entry.version) in entries:
            reason = "another document before it has the same name and version"
            entry = Unreadable(document.body, reason, entry.name, entry.version)
        if isinstance(entry, Unreadable):
            reason = f"{document.place}: {entry.reason}"
            bad.append(Unreadable(document.body[:_KEPT], reason, entry.name, entry.version))
        else:
            key = (entry.name, entry.version)
            entries[key] = _dated(entry, known.get(key), at)
    # Versions that stay although they were not read also compete for the latest flag.
    unread = {(record.name, record.version) for record in bad}
    keyless = any(not record.name for record in bad)
    kept = [
        (key, row["published_at"])
        for key, row in known.items()
        if key not in entries and not row["vanished_at"] and (keyless or key in unread)
    ]
    names: dict[str, list[Entry]] = {}
    for entry in entries.values():
        names.setdefault(entry.name, []).append(entry)
    flagged = [
        _flagged(versions, [(version, at) for (held, version), at in kept if held == name])
        for name, versions in names.items()
    ]
    return [*bad, *chain.from_iterable(flagged)]


def _dated(entry: Entry, known: Row | None, at: datetime) -> Entry:
    if known is None:
        return entry
    same = known["server_hash"] == content_hash(entry.server) and not known["vanished_at"]
    # A changed entry needs a later instant, or readers who follow changes would miss it.
    updated = known["updated_at"] if same else max(at, known["updated_at"] + _TICK)
    return msgspec.structs.replace(entry, published_at=known["published_at"], updated_at=updated)


def _flagged(versions: list[Entry], kept: list[tuple[str, datetime]]) -> list[Record]:
    # If an unread version is the latest, `latest` is beyond `versions`, and none gets the flag.
    latest = choose_latest([(entry.version, entry.published_at) for entry in versions] + kept)
    return [
        read_entry(
            compose(
                entry.server,
                _meta(entry.published_at, entry.updated_at, is_latest=index == latest),
            )
        )
        for index, entry in enumerate(versions)
    ]


def _meta(published: datetime, updated: datetime, *, is_latest: bool) -> bytes:
    official = {
        "status": "active",
        "statusChangedAt": _instant(published),
        "publishedAt": _instant(published),
        "updatedAt": _instant(updated),
        "isLatest": is_latest,
    }
    return json.dumps({OFFICIAL: official}, separators=(",", ":")).encode()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
