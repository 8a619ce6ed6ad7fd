"""Verdicts, what a build reads, and what it did: the warehouse's side of a feed."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby

import pyarrow as pa

from warehouse.curation.parts import servers_at_once
from warehouse.database.arrow import TEXT, Tuple, columns, table
from warehouse.database.session import Row, Session

_PARTS = ("server", "meta", "raw")
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
    """Whether this warehouse changed verdicts of a feed at an instant: one that was made anew or
    restored did not."""
    return bool(session.rows("curation/read_last_change", feed=feed, at=at)[0]["known"])


@contextmanager
def wanted(session: Session, feed: str, names: Sequence[str] | None) -> Iterator[None]:
    """For the time of the block only these servers count; None: all."""
    if names is None:
        found = session.table("curation/list_known_names", feed=feed)
    else:
        found = pa.table({"name": pa.array(names, pa.string())})
    with session.given(wanted_names=found):
        yield


def downloads_by_server(session: Session) -> dict[str, int]:
    """How often the most fetched package of a server is fetched, where that is known."""
    found = session.rows("curation/list_server_downloads")
    return {row["name"]: row["downloads"] for row in found}


def feed_entries(
    session: Session,
    feed: str,
    *,
    since: datetime | None = None,
    copies: Callable[[str, str], Sequence[bytes]] = lambda *_: (),
    batch: int = 10_000,
) -> Iterator[Row]:
    """The wanted entries with their verdicts, ordered by name and version bytes.

    Those whose verdicts and content are as they were at `since` are `kept`, without JSON. Admitted
    others have their JSON as `server`, `meta` and, where that is not all, `raw`. It is
    fetched batch by batch: sorting bodies with the rows would need memory for all of them. The
    packages of an entry come as a list of rows, from a stream of their own. `copies` gives JSON
    that somebody has of an entry (name, version) and that may be what is wanted. Servers come in
    parts, as many at once as memory is good for.
    """
    names, size = session.table("curation/list_wanted_names"), servers_at_once(session)
    for start in range(0, names.num_rows, size):
        with session.given(wanted_names=names.slice(start, size)):
            yield from _part_of_feed(session, feed, since, copies, batch)


def _part_of_feed(
    session: Session,
    feed: str,
    since: datetime | None,
    copies: Callable[[str, str], Sequence[bytes]],
    batch: int,
) -> Iterator[Row]:
    packages = _grouped(session.batches("curation/list_feed_packages", batch))
    group = next(packages, None)
    for rows in session.batches("curation/list_feed_entries", batch, feed=feed, since=since):
        found = rows.to_pylist()
        bodies = _bodies(session, found, since, copies)
        for row in found:
            for part in _PARTS:
                row[part] = bodies.get(row.pop(f"{part}_hash"))
            key = _key(row)
            while group is not None and group[0] < key:
                group = next(packages, None)
            row["packages"] = group[1] if group is not None and group[0] == key else []
            yield row


def forget_prints(session: Session, feed: str, rows: Sequence[Tuple]) -> None:
    """Have the next curation note a change of some verdicts (upstream, name, version), whatever it
    finds: they were shown otherwise than they were decided."""
    if rows:
        with session.transaction(), session.given(batch_prints=table(rows, _VERDICT)):
            session.run("curation/forget_prints", feed=feed)


def _bodies(
    session: Session,
    rows: list[Row],
    since: datetime | None,
    copies: Callable[[str, str], Sequence[bytes]],
) -> dict[str, str]:
    """JSON by hash: of what came lately and of copies as far as that goes, since it costs less
    than to look for few among all that ever came."""
    wanted: dict[tuple[str, str], set[str]] = {
        (row["name"], row["version"]): {row[f"{part}_hash"] for part in _PARTS} - {None}
        for row in rows
    }
    hashes = set().union(*wanted.values())
    found: dict[str, str] = {}
    if since is not None:
        found |= _fetched(session, "curation/list_bodies_since", hashes, since=since)
        for (name, version), own in wanted.items():
            for copy in copies(name, version) if own - found.keys() else ():
                found[hashlib.sha256(copy).hexdigest()] = copy.decode()
    if missing := hashes - found.keys():
        found |= _fetched(session, "curation/list_bodies", missing)
    return found


def _fetched(session: Session, query: str, hashes: set[str], **values: object) -> dict[str, str]:
    with session.given(wanted=pa.table({"hash": pa.array(sorted(hashes), pa.string())})):
        return {row["hash"]: row["body"] for row in session.rows(query, **values)}


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[tuple[str, str, str], list[Row]]]:
    rows = (row for found in batches for row in found.to_pylist())
    for key, group in groupby(rows, _key):
        yield key, list(group)


def _key(row: Row) -> tuple[str, str, str]:
    return row["name"], row["version"], row["upstream"]


def read_outline(session: Session, feed: str) -> bytes:
    """The rules that a feed was curated by last, as JSON, with when that was and when each
    upstream was pulled."""
    for row in session.rows("curation/read_decided", feed=feed):
        return outline_of(session, feed, row["outline_hash"], row["decided_at"])
    return b"{}"


def outline_of(session: Session, feed: str, outline_hash: str | None, at: datetime) -> bytes:
    """The same of verdicts that were decided by an outline, at an instant."""
    rows = session.rows("curation/read_outline", feed=feed, outline_hash=outline_hash)
    found = json.loads(rows[0]["outline"]) if rows else {}
    found["pulled"] = {
        row["upstream"]: row["pulled_at"].isoformat()
        for row in session.rows("curation/list_pulled", at=at)
    }
    found["decided_at"] = at.isoformat()
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


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
