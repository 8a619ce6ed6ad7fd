"""Verdicts, what a build reads, and what it did: the warehouse's side of a feed."""

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
"""The columns of an entry that name its JSON; None: there is none, or none is needed."""
_VERDICT = columns(upstream=TEXT, name=TEXT, version=TEXT)


def changed_names(session: Session, feed: str, since: datetime) -> list[str]:
    """Servers that a feed may show otherwise than by its verdicts at an earlier instant, sorted."""
    return [
        row["name"] for row in session.rows("curation/list_changed_names", feed=feed, since=since)
    ]


def last_change(session: Session, feed: str) -> datetime | None:
    """The curation at which a verdict of a feed last became another one; rises with each that
    changes one, whatever the clock does."""
    found: datetime | None = session.rows("curation/read_last_change", feed=feed, at=None)[0][
        "changed_at"
    ]
    return found


def is_known_change(session: Session, feed: str, at: datetime) -> bool:
    """Whether this warehouse changed verdicts of a feed at an instant: one that was rebuilt or
    restored did not."""
    return bool(session.rows("curation/read_last_change", feed=feed, at=at)[0]["known"])


@contextmanager
def wanted(session: Session, feed: str, names: Sequence[str] | None) -> Iterator[None]:
    """For the time of the block only these servers count; None: all."""
    if names is None:
        found = session.table("curation/list_known_names", feed=feed)
    else:
        found = pa.table({"name": pa.array(names, pa.string())})
    with session.registering(wanted_names=found):
        yield


def downloads_by_server(session: Session) -> dict[str, int]:
    """How often the most fetched package of a server is fetched, where that is known."""
    found = session.rows("curation/list_server_downloads")
    return {row["name"]: row["downloads"] for row in found}


def feed_entries(
    session: Session, feed: str, *, since: datetime | None = None, batch: int = 10_000
) -> Iterator[list[Row]]:
    """The wanted entries with their verdicts, ordered by name and version bytes, in batches.

    Those whose verdicts and content are as they were at `since` are `kept`: no JSON is needed of
    them. Admitted others name theirs by hash, as `BODIES`; `raw_hash` where server.json and `_meta`
    are not all. Sorting bodies with the rows would need memory for all of them. The packages of an
    entry come as a list of rows, from a stream of their own. Servers come in parts, as many at once
    as memory is good for.
    """
    names, size = session.table("curation/list_wanted_names"), servers_at_once(session)
    for start in range(0, names.num_rows, size):
        with session.registering(wanted_names=names.slice(start, size)):
            yield from _part_of_feed(session, feed, since, batch)


def _part_of_feed(
    session: Session, feed: str, since: datetime | None, batch: int
) -> Iterator[list[Row]]:
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
    """JSON by its hash; with `since` only what came after that, which costs less."""
    query = "curation/list_bodies" if since is None else "curation/list_bodies_since"
    values = {} if since is None else {"since": since}
    with session.registering(wanted=pa.table({"hash": pa.array(sorted(hashes), pa.string())})):
        return {row["hash"]: row["body"].encode() for row in session.rows(query, **values)}


def forget_fingerprints(session: Session, feed: str, rows: Sequence[Tuple]) -> None:
    """Have the next curation note a change of some verdicts (upstream, name, version), whatever it
    finds: they were shown otherwise than they were decided."""
    if rows:
        with session.transaction(), session.registering(batch_stale=table(rows, _VERDICT)):
            session.run("curation/forget_fingerprints", feed=feed)


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[tuple[str, str, str], list[Row]]]:
    rows = (row for found in batches for row in found.to_pylist())
    for key, group in groupby(rows, _key):
        yield key, list(group)


def _key(row: Row) -> tuple[str, str, str]:
    return row["name"], row["version"], row["upstream"]


def read_outline(session: Session, feed: str) -> Outline:
    """The rules that a feed was curated by last, with when that was and when each upstream was
    pulled."""
    for row in session.rows("curation/read_decided", feed=feed):
        return outline_of(session, feed, row["outline_hash"], row["decided_at"])
    return Outline()


def outline_of(session: Session, feed: str, outline_hash: str | None, at: datetime) -> Outline:
    """The same of verdicts that were decided by an outline, at an instant."""
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
    """Verdict, rule, reason, what was seen, repairs and package facts of a server's versions,
    newest first; as of `at` without repairs and facts, which are kept as of now only."""
    if at is not None:
        return session.rows(
            "curation/explain_entries_at", feed=feed, name=name, version=version, at=at
        )
    return session.rows("curation/explain_entries", feed=feed, name=name, version=version)
