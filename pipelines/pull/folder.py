"""Pull from a local file or directory of server.json documents: the upstream of in-house servers.

Instants, flags and what else a registry would say are completed; see `pipelines.pull.completion`.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from connectors.upstreams.contract import KEPT, Unreadable
from connectors.upstreams.folder import Document, read_documents
from connectors.upstreams.kinds import Kind
from connectors.upstreams.stated import Stated, read_document
from pipelines.pull.completion import TICK, Completion, next_instant
from pipelines.pull.pull import PullReport
from pipelines.pull.readings import Record, batches
from pipelines.pull.spool import PageKind, Spool, SpooledPage
from warehouse.database.warehouse import Warehouse
from warehouse.walk.merge import commit_walk, known_entries
from warehouse.walk.state import read_state, summarize
from warehouse.walk.types import Key, Walk

log = logging.getLogger(__name__)


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
            at = next_instant(state, now())
            completion = Completion(known_entries(session, upstream), at)
            records = _records(documents, completion)
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
                    asked_at=at + TICK,
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
        reads_as=Kind.FOLDER,
        unknown_statuses=completion.unknown_statuses,
    )


def _records(documents: list[Document], completion: Completion) -> list[Record]:
    """Every document as an entry, with the instants and flag that a registry would give it."""
    stated: dict[Key, Stated] = {}
    bad: list[Unreadable] = []
    for document in documents:
        record = read_document(document.body)
        if isinstance(record, Stated) and (record.name, record.version) in stated:
            reason = "another document before it has the same name and version"
            record = Unreadable(document.body, reason, record.name, record.version)
        if isinstance(record, Unreadable):
            reason = f"{document.place}: {record.reason}"
            bad.append(Unreadable(document.body[:KEPT], reason, record.name, record.version))
        else:
            stated[record.name, record.version] = record
    for record in stated.values():
        completion.survey(record.name, record.version, record.claims)
    # Versions that stay although they were not read also compete for the latest flag.
    unread = {(record.name, record.version) for record in bad}
    keyless = any(not record.name for record in bad)
    completion.survey_kept(lambda key: key not in stated and (keyless or key in unread))
    return [*bad, *map(completion.complete, stated.values())]
