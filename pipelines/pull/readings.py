"""From pages to rows: the only place where a parsed entry becomes rows of the warehouse.

Pure: pages in, batches out. `warehouse.walk.merge` decides what the stored rows mean.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from connectors.upstreams.contract import Entry, Unreadable, compose, read_entry
from pipelines.pull.spool import PageKind, SpooledPage
from warehouse.walk.staging import Readings, content_hash

_BATCH_PAGES = 100


Record = Entry | Unreadable


def batches(
    pages: Iterable[SpooledPage],
    *,
    bodies: bool = True,
    read: Callable[[SpooledPage], Iterable[Record]] | None = None,
) -> Iterator[dict[str, pa.Table]]:
    """Read pages in batches of bounded size; `bodies=False` leaves out all but the readings.

    A thread reads the next batch while the caller stores the current one. `read` replaces the
    parser for pages that are not list answers.
    """
    parsed = _batches(pages, read or _records, bodies=bodies)
    with ThreadPoolExecutor(1) as ahead:
        # None marks the end: a StopIteration must not leave a generator.
        coming = ahead.submit(next, parsed, None)
        while (batch := coming.result()) is not None:
            coming = ahead.submit(next, parsed, None)
            yield batch


def _batches(
    pages: Iterable[SpooledPage], read: Callable[[SpooledPage], Iterable[Record]], *, bodies: bool
) -> Iterator[dict[str, pa.Table]]:
    batch, ordinal = Readings(), 0
    for count, page in enumerate(pages, start=1):
        for record in read(page):
            if isinstance(record, Unreadable):
                batch.unreadable.append(
                    (
                        content_hash(record.raw),
                        record.name,
                        record.version,
                        record.reason,
                        record.raw,
                    )
                )
            else:
                _add(batch, record, page, ordinal, bodies=bodies)
                ordinal += 1
        if count % _BATCH_PAGES == 0:
            yield batch.tables()
            batch = Readings()
    yield batch.tables()


def _records(page: SpooledPage) -> Iterator[Record]:
    """The records of a page; of several with one key the newest, the others as unreadable."""
    best: dict[tuple[str, str], Entry] = {}
    for raw in page.entries:
        record = read_entry(raw)
        if isinstance(record, Unreadable):
            yield record
            continue
        key = (record.name, record.version)
        other = best.get(key)
        if other is not None and other != record:
            older = min(other, record, key=lambda entry: entry.updated_at)
            record = record if older is other else other
            reason = "another record of its page has the same key and is newer"
            yield Unreadable(compose(older.server, older.meta), reason, *key)
        best[key] = record
    yield from best.values()


def _add(batch: Readings, entry: Entry, page: SpooledPage, ordinal: int, *, bodies: bool) -> None:
    server_hash = content_hash(entry.server)
    meta_hash = content_hash(entry.meta)
    raw_hash = content_hash(entry.raw) if entry.raw is not None else None
    batch.readings.append(
        (
            entry.name,
            entry.version,
            server_hash,
            meta_hash,
            raw_hash,
            entry.status,
            entry.status_message,
            entry.is_latest,
            entry.published_at,
            entry.updated_at,
            entry.status_changed_at,
            ordinal,
            page.after_commit,
            page.stale,
            page.kind == PageKind.VERSIONS,
            page.kind != PageKind.LIST,
        )
    )
    if not bodies:
        return
    batch.bodies[meta_hash] = entry.meta
    if raw_hash is not None and entry.raw is not None:
        batch.bodies[raw_hash] = entry.raw
    if server_hash not in batch.contents:
        batch.bodies[server_hash] = entry.server
        _add_content(batch, entry, server_hash)


def _add_content(batch: Readings, entry: Entry, server_hash: str) -> None:
    details = entry.details
    repository = details.repository if details else None
    packages = (details.packages if details else None) or []
    remotes = (details.remotes if details else None) or []
    batch.contents[server_hash] = (
        server_hash,
        details is not None,
        details.schema if details else None,
        details.title if details else None,
        details.description if details else None,
        details.website_url if details else None,
        (repository.url or None) if repository else None,
        (repository.source or None) if repository else None,
        repository.subfolder if repository else None,
        len(packages),
        len(remotes),
    )
    batch.packages.extend(
        (
            server_hash,
            ordinal,
            package.registry_type,
            package.registry_base_url or "",
            package.identifier,
            package.version or "",
            package.file_sha256,
        )
        for ordinal, package in enumerate(packages)
    )
    batch.remotes.extend(
        (server_hash, ordinal, remote.type, remote.url) for ordinal, remote in enumerate(remotes)
    )
