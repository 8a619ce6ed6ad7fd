"""The warehouse's side of a feed: verdicts, what a build reads, and what it did."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby

import pyarrow as pa
from msgspec import structs

from warehouse.curation.parts import servers_at_once
from warehouse.database.arrow import TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session
from warehouse.rules.outline import Outline, decode_outline

BODIES = ("server_hash", "meta_hash", "raw_hash")
"""The columns of an entry that name its JSON by hash; None if there is none or none is needed."""
_VERDICT = columns(upstream=TEXT, name=TEXT, version=TEXT)


def changed_names(session: Session, feed: str, since: datetime) -> list[str]:
    """Servers that a feed may show differently than its verdicts of an earlier instant, sorted."""
    return [
        row["name"] for row in session.rows("curation/list_changed_names", feed=feed, since=since)
    ]


def last_change(session: Session, feed: str) -> datetime | None:
    """The last curation that changed a verdict of a feed; None if none did.

    It rises with every curation that changes a verdict, whatever the clock does.
    """
    changed_at: datetime | None = session.rows("curation/read_last_change", feed=feed, at=None)[0][
        "changed_at"
    ]
    return changed_at


def is_known_change(session: Session, feed: str, at: datetime) -> bool:
    """Whether this warehouse changed verdicts of a feed at exactly this instant.

    A warehouse that was rebuilt or restored did not.
    """
    return bool(session.rows("curation/read_last_change", feed=feed, at=at)[0]["known"])


@contextmanager
def wanted(session: Session, feed: str, names: Sequence[str] | None) -> Iterator[None]:
    """Restrict the statements inside to these servers; None: all servers."""
    if names is None:
        wanted_table = session.table("curation/list_known_names", feed=feed)
    else:
        wanted_table = pa.table({"name": pa.array(names, pa.string())})
    with session.registering(wanted_names=wanted_table):
        yield


def server_documents(session: Session, keys: Sequence[tuple[str, str]]) -> list[str]:
    """The server.json of each entry (name, version) that is known, by name and version."""
    with session.registering(wanted=table(keys, columns(name=TEXT, version=TEXT))):
        return [row["body"] for row in session.rows("curation/list_server_json")]


def downloads_by_server(session: Session) -> dict[str, int]:
    """Downloads of a server's most fetched package, for servers where this is known."""
    rows = session.rows("curation/list_server_downloads")
    return {row["name"]: row["downloads"] for row in rows}


def feed_entries(
    session: Session, feed: str, *, since: datetime | None = None, batch: int = 10_000
) -> Iterator[list[Row]]:
    """The wanted entries with their verdicts, ordered by name and version bytes, in batches.

    An entry is `kept` if its verdict and content are as they were at `since`; its JSON is not
    needed. Other admitted entries name their JSON by hash, in the columns `BODIES`; `raw_hash` only
    if server.json and `_meta` are not the whole entry. Bodies are not joined here, because sorting
    them would need memory for all of them. The packages of an entry come as a list of rows, from a
    second stream. Servers are read in parts, as many at once as memory allows.
    """
    names, size = session.table("curation/list_wanted_names"), servers_at_once(session)
    for start in range(0, names.num_rows, size):
        with session.registering(wanted_names=names.slice(start, size)):
            yield from _part_of_feed(session, feed, since, batch)


def _part_of_feed(
    session: Session, feed: str, since: datetime | None, batch: int
) -> Iterator[list[Row]]:
    # A merge join of two streams: both have the same order, so each is read once.
    packages = _grouped(session.batches("curation/list_feed_packages", batch))
    group = next(packages, None)
    for entries in session.batches("curation/list_feed_entries", batch, feed=feed, since=since):
        rows = entries.to_pylist()
        for row in rows:
            key = _key(row)
            while group is not None and group[0] < key:
                group = next(packages, None)
            row["packages"] = group[1] if group is not None and group[0] == key else []
        yield rows


def read_bodies(
    session: Session, hashes: Collection[str], *, since: datetime | None = None
) -> dict[str, bytes]:
    """JSON by its hash; with `since` only bodies first seen after it, which costs less."""
    query = "curation/list_bodies" if since is None else "curation/list_bodies_since"
    values = {} if since is None else {"since": since}
    with session.registering(wanted=pa.table({"hash": pa.array(sorted(hashes), pa.string())})):
        return {row["hash"]: row["body"].encode() for row in session.rows(query, **values)}


def forget_fingerprints(session: Session, feed: str, rows: Sequence[Tuple]) -> None:
    """Make the next curation record a change of some verdicts, whatever it finds.

    `rows` are (upstream, name, version) of verdicts that were shown differently than decided.
    """
    if rows:
        with session.transaction(), session.registering(batch_stale=table(rows, _VERDICT)):
            session.run("curation/forget_fingerprints", feed=feed)
            session.run("curation/touch_stale")


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[tuple[str, str, str], list[Row]]]:
    rows = (row for batch in batches for row in batch.to_pylist())
    for key, group in groupby(rows, _key):
        yield key, list(group)


def _key(row: Row) -> tuple[str, str, str]:
    return row["name"], row["version"], row["upstream"]


def read_outline(session: Session, feed: str) -> Outline:
    """The outline that a feed was last curated by, with `decided_at` and each upstream's pull."""
    for row in session.rows("curation/read_decided", feed=feed):
        return outline_of(session, feed, row["outline_hash"], row["decided_at"])
    return Outline()


def outline_of(session: Session, feed: str, outline_hash: str | None, at: datetime) -> Outline:
    """The outline with this hash, with the pulls known at an instant."""
    rows = session.rows("curation/read_outline", feed=feed, outline_hash=outline_hash)
    pulled = session.rows("curation/list_pulled", at=at)
    return structs.replace(
        decode_outline(rows[0]["outline"]) if rows else Outline(),
        pulled={row["upstream"]: row["pulled_at"] for row in pulled},
        decided_at=at,
    )


def explain(
    session: Session, feed: str, name: str, version: str | None, *, at: datetime | None = None
) -> list[Row]:
    """Verdict, rule, reason, seen values, repairs and package facts of a server's versions.

    Newest first. As of `at` there are no repairs and facts, since only their present state is kept.
    """
    if at is not None:
        return session.rows(
            "curation/explain_entries_at", feed=feed, name=name, version=version, at=at
        )
    return session.rows("curation/explain_entries", feed=feed, name=name, version=version)
