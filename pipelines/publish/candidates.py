"""Candidates: what the warehouse knows of each entry, in the form that a build takes.

The bodies of unchanged entries are read from the previous edition: a search for a few of them among
all bodies in the warehouse costs more.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from heapq import merge

import msgspec

from pipelines.publish.served_packages import enrichment
from serve.build.candidate import Candidate, forgotten
from serve.build.draft import Draft
from serve.edition.edition import Edition
from warehouse.curation.feeds import BODIES, feed_entries, read_bodies, wanted
from warehouse.database.session import Row, Session

Key = tuple[str, str, str]
"""Upstream, name and version."""


def candidates(
    session: Session,
    draft: Draft,
    verdicts: str,
    names: Sequence[str] | None = None,
    since: datetime | None = None,
    stale: list[Key] | None = None,
    public: Collection[str] | None = None,
) -> Iterator[Candidate]:
    """Every entry with its verdict under the key `verdicts`, by name and version bytes; also
    entries that were shown once and have no verdict any more.

    With `names`, only the entries of these servers; those that did not change `since` an instant
    come without bodies. The keys of entries that changed after their decision are added to `stale`.
    Names of upstreams that are not `public` are told only if they are shown (None: all are public).
    """
    with wanted(session, verdicts, names):
        # With names, the previous edition knows the entries that lost their verdict.
        lost = session.rows("curation/list_lost", feed=verdicts) if names is None else []
        stale = [] if stale is None else stale
        decided = _decided(session, verdicts, since, draft.previous, stale, public)
        # Both streams come sorted by key, as `merge` needs.
        yield from merge(
            decided, (_lost(row, draft.now) for row in lost), key=lambda entry: entry.key
        )


def counted(entries: Iterator[Candidate], report: Callable[[int], None]) -> Iterator[Candidate]:
    """Pass on the entries; report the number passed, once per thousand."""
    for number, entry in enumerate(entries, start=1):
        yield entry
        if number % 1000 == 0:
            report(number)


def _lost(row: Row, at: datetime) -> Candidate:
    published = row["published_at"] or at
    updated = row["updated_at"] or published
    return forgotten(row["name"], row["version"], published_at=published, updated_at=updated)


def _decided(
    session: Session,
    verdicts: str,
    since: datetime | None,
    previous: Edition | None,
    stale: list[Key],
    public: Collection[str] | None,
) -> Iterator[Candidate]:
    for rows in feed_entries(session, verdicts, since=since):
        bodies = _bodies(session, rows, since, previous)
        for row in rows:
            if not row["as_decided"]:
                stale.append((row["upstream"], row["name"], row["version"]))
            texts = (bodies.get(row[column]) for column in BODIES)
            yield _candidate(
                row, *texts, private=public is not None and row["upstream"] not in public
            )


def _bodies(
    session: Session, rows: Sequence[Row], since: datetime | None, previous: Edition | None
) -> dict[str, bytes]:
    """JSON by its hash: from recent rows, then from the previous edition, then from all rows."""
    hashes = {row[column] for row in rows for column in BODIES} - {None}
    bodies: dict[str, bytes] = {}
    if since is not None:
        bodies = read_bodies(session, hashes, since=since)
    if since is not None and previous is not None:
        for row in rows:
            if {row[column] for column in BODIES} - {None} - bodies.keys():
                bodies |= _copies(previous, row["name"].encode(), row["version"].encode())
    if missing := hashes - bodies.keys():
        bodies |= read_bodies(session, missing)
    return bodies


def _copies(edition: Edition, name: bytes, version: bytes) -> dict[str, bytes]:
    """The parts of upstream's entry that an edition keeps, by their hashes."""
    entry = edition.records.raw(name, version, deleted=True)
    parts = msgspec.json.decode(entry, type=dict[str, msgspec.Raw]).values() if entry else ()
    return {hashlib.sha256(part).hexdigest(): bytes(part) for part in parts}


def _candidate(
    row: Row, server: bytes | None, meta: bytes | None, raw: bytes | None, *, private: bool
) -> Candidate:
    return Candidate(
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
        server=server,
        meta=meta,
        enrichment=enrichment(row["packages"]),
        raw=raw,
        unknown=tuple(row["unknown"]),
        served=row["served"],
        held=row["verdict"] == "hold",
        held_until=row["held_until"],
        atoms=row["atoms"] or "",
        seen=(row["seen"] or "").encode(),
        kept=row["kept"],
        private=private,
    )
