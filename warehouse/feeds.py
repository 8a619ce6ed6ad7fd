"""Verdicts, what a build reads, and what it did: the warehouse's side of a feed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import pyarrow as pa

from warehouse.staging import TEXT, Tuple, columns, table
from warehouse.warehouse import Row, Session

_TREATMENT = columns(feed=TEXT, name=TEXT, version=TEXT, kind=TEXT, rule=TEXT, detail=TEXT)
_PARTS = ("server", "meta", "raw")
_SERVED = columns(feed=TEXT, name=TEXT, version=TEXT, edition=TEXT)


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its expression as checked SQL (`warehouse.predicates`)."""

    name: str
    verdict: str
    reason: str
    sql: str


def decide(
    session: Session,
    feed: str,
    rules: Sequence[CompiledRule],
    *,
    default: str,
    policy_hash: str,
    now: datetime,
) -> list[Row]:
    """Replace the verdicts of a feed, in one transaction; returns counts by verdict and rule.

    The first rule that is true decides. A rule that is unknown (NULL) for an entry does not decide
    and is listed with the verdict.
    """
    with session.transaction():
        session.run("delete_verdicts", feed=feed)
        session.text(_decision(rules), _parameters(feed, rules, default, policy_hash, now))
        return session.rows("count_verdicts", feed=feed)


def _decision(rules: Sequence[CompiledRule]) -> str:
    """Set-based SQL for an ordered list of rules; texts are bound, expressions were checked."""
    cases = " ".join(f"WHEN ({rule.sql}) IS TRUE THEN {i}" for i, rule in enumerate(rules))
    decided = f"CASE {cases} ELSE {len(rules)} END" if rules else "0"
    unknown = ", ".join(
        f"CASE WHEN ({rule.sql}) IS NULL AND {decided} > {i} THEN $names[{i + 1}] END"
        for i, rule in enumerate(rules)
    )
    return f"""
        INSERT INTO verdicts
        SELECT
            $feed, upstream, name, version,
            $verdicts[decided + 1], $names[decided + 1], $reasons[decided + 1],
            list_filter(unknown, x -> x IS NOT NULL), $now, $policy_hash
        FROM (
            SELECT upstream, name, version, {decided} AS decided, [{unknown}]::VARCHAR[] AS unknown
            FROM policy_columns
            SEMI JOIN current_bindings USING (name, upstream)
        )
    """  # noqa: S608 - expressions passed warehouse.predicates, everything else is bound


def _parameters(
    feed: str, rules: Sequence[CompiledRule], default: str, policy_hash: str, now: datetime
) -> dict[str, object]:
    return {
        "feed": feed,
        "names": [rule.name for rule in rules] + ["default"],
        "verdicts": [rule.verdict for rule in rules] + [default],
        "reasons": [rule.reason for rule in rules] + ["no rule decided"],
        "now": now,
        "policy_hash": policy_hash,
    }


def is_curated(session: Session, feed: str, policy_hash: str) -> bool:
    """Whether the verdicts of a feed are there, and are those of this document."""
    found = session.rows("read_curation", feed=feed)
    return [row["policy_hash"] for row in found] == [policy_hash]


def feed_entries(session: Session, feed: str, *, batch: int = 10_000) -> Iterator[Row]:
    """Every known entry with its verdict, ordered by name and version bytes.

    Admitted ones have their JSON as `server`, `meta` and, where that is not all, `raw`. It is
    fetched batch by batch: sorting bodies with the rows would need memory for all of them. The
    packages of an entry come as a list of rows, from a stream of their own.
    """
    packages = _grouped(session.batches("list_feed_packages", batch))
    group = next(packages, None)
    for rows in session.batches("list_feed_entries", batch, feed=feed):
        parts = [rows[f"{part}_hash"] for part in _PARTS]
        hashes = pa.concat_arrays(parts).unique().drop_null()
        with session.given(wanted=pa.table({"hash": hashes})):
            found = session.table("list_bodies")
        bodies = dict(zip(found["hash"].to_pylist(), found["body"].to_pylist(), strict=True))
        for row in rows.to_pylist():
            for part in _PARTS:
                row[part] = bodies.get(row.pop(f"{part}_hash"))
            key = _key(row)
            while group is not None and group[0] < key:
                group = next(packages, None)
            row["packages"] = group[1] if group is not None and group[0] == key else []
            yield row


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[tuple[str, str, str], list[Row]]]:
    rows = (row for found in batches for row in found.to_pylist())
    for key, group in groupby(rows, _key):
        yield key, list(group)


def _key(row: Row) -> tuple[str, str, str]:
    return row["name"], row["version"], row["upstream"]


def replace_treatments(session: Session, feed: str, rows: Sequence[Tuple]) -> None:
    """Store what the last build of a feed repaired and withheld."""
    with session.transaction(), session.given(batch_treatments=table(rows, _TREATMENT)):
        session.run("delete_treatments", feed=feed)
        session.run("insert_treatments")


def record_edition(
    session: Session,
    shown: Callable[[bool], Iterable[tuple[str, str]]],
    *,
    previous: str | None,
    **values: object,
) -> None:
    """Note an edition that went live; noting it again changes nothing.

    `shown` gives (name, version) of the entries that came or changed with it, or of all: those are
    noted if its predecessor is not on record.
    """
    feed, edition = values["feed"], values["edition"]
    if session.rows("read_edition", feed=feed, edition=edition):
        return
    everything = not session.rows("read_edition", feed=feed, edition=previous)
    rows = [(feed, name, version, edition) for name, version in shown(everything)]
    with session.transaction(), session.given(batch_served=table(rows, _SERVED)):
        session.run("insert_edition", **values)
        session.run("insert_served")


def last_sequence(session: Session, feed: str) -> int:
    """The sequence of the last edition of a feed that is on record; 0 without one."""
    return int(session.rows("read_last_sequence", feed=feed)[0]["sequence"])


def explain(session: Session, feed: str, name: str, version: str | None) -> list[Row]:
    """Verdict, rule, reason, repairs and package facts of a server's versions, newest first."""
    return session.rows("explain_entries", feed=feed, name=name, version=version)
