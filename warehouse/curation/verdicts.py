"""Verdicts: ordered rules as one set-based statement, and the result of every test.

Each rule's atoms are computed once per entry; an error in an atom makes it unknown for that entry.
Rules combine atoms by three-valued logic. Nothing is kept here (`warehouse.curation.decide`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby

import duckdb

from warehouse.curation.derived import derive
from warehouse.curation.parts import (
    RULE_INPUTS,
    parts,
    scoped,
    showing,
    staged,
    temporary,
)
from warehouse.database.arrow import TEXT, columns, table
from warehouse.database.session import Row, Session
from warehouse.errors import RulesFailed
from warehouse.rules.outline import encode_outline
from warehouse.rules.rulebook import ChooseLatest, RuleBook

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""
_TIME_LIMIT = 600.0
_BLOCKS = columns(target=TEXT, reason=TEXT)
_OLDER = columns(name=TEXT, version=TEXT)


@contextmanager
def provisional(session: Session, feed: str, book: RuleBook, *, now: datetime) -> Iterator[str]:
    """Decide verdicts for the time of the block; yield their key; write no history."""
    key = preview_of(feed)
    derive(session, now=now)
    try:
        with (
            scoped(session, "curation/select_everything"),
            judged(session, key, book, policy_hash="preview", now=now, everything=True),
            session.transaction(),
        ):
            session.run("curation/delete_verdicts", feed=key)
            session.run("curation/insert_verdicts")
        yield key
    finally:
        session.run("curation/delete_verdicts", feed=key)


def count_matches(session: Session, feed: str, book: RuleBook) -> dict[str, int]:
    """How many entries each rule of a book matches, by its name, in order; without the blocks."""
    rows = session.rows("curation/count_matches", feed=feed, rules=len(book.rules))
    counts = {row["ordinal"]: row["matches"] for row in rows}
    return {
        rule.name: counts.get(number, 0)
        for number, rule in enumerate(book.rules, start=1)
        if rule.kind != "block"
    }


def count_drops(session: Session, feed: str, book: RuleBook) -> dict[str, int]:
    """From how many admitted entries each test of single packages takes one, by its name."""
    rows = session.rows("curation/count_drops", feed=feed)
    counts = {row["rule"]: row["entries"] for row in rows}
    return {drop.name: counts.get(drop.name, 0) for drop in book.drops}


def held_entries(session: Session, feed: str) -> list[tuple[str, str]]:
    """Name and version of every entry that a cooldown holds."""
    return [(row["name"], row["version"]) for row in session.rows("curation/list_held", feed=feed)]


def unknown_names(session: Session, names: Sequence[str]) -> list[str]:
    """Which of these NAME or NAME@VERSION no entry has or had, in their order."""
    with session.registering(batch_names=table([(name,) for name in names], columns(name=TEXT))):
        return [row["name"] for row in session.rows("curation/list_unknown")]


def column_values(session: Session, name: str, *, now: datetime) -> Row:
    """What rules read of the latest version of a server; empty if there is none."""
    rows = session.rows("curation/read_columns", name=name, now=now)
    return rows[0] if rows else {}


@contextmanager
def judged(
    session: Session,
    feed: str,
    book: RuleBook,
    *,
    policy_hash: str,
    now: datetime,
    everything: bool,
    changed_at: datetime | None = None,
    servers: int | None = None,
    progress: Progress = lambda *_: None,
) -> Iterator[None]:
    """Compute the verdicts on the servers in `scope`, in the temporary table `next_verdicts`.

    Raises RulesFailed.
    """
    all_parts = parts(session, servers, everything=everything)
    parameters = book.parameters() | {
        "feed": feed,
        "policy_hash": policy_hash,
        "outline_hash": outline_hash(encode_outline(book.outline())),
        "now": now,
    }
    blocks = table(list(book.blocks.items()), _BLOCKS)
    statement = book.statement()
    with staged(session, "verdicts"), temporary(session, "deciding"):
        for number, part in enumerate(all_parts, start=1):
            with (
                showing(session, part, RULE_INPUTS),
                _explained(feed),
                session.with_timeout(_TIME_LIMIT),
                session.registering(batch_blocks=blocks),
            ):
                session.run("curation/drop_deciding")
                session.text(statement, parameters)
                session.run("curation/update_blocked")
                if book.choose_latest:
                    _keep_latest(session, book.choose_latest)
                session.run("curation/stage_verdicts", feed=feed, now=changed_at or now)
            progress(number, len(all_parts))
        yield


def _keep_latest(session: Session, choose: ChooseLatest) -> None:
    """Exclude all but the latest of the admitted versions of each server of a part."""
    older = []
    rows = session.rows("curation/list_competing")
    for name, group in groupby(rows, lambda row: row["name"]):
        versions = [(row["version"], row["published_at"]) for row in group]
        latest = versions[choose(versions)][0]
        older += [(name, version) for version, _ in versions if version != latest]
    with session.registering(batch_older=table(older, _OLDER)):
        session.run("curation/update_older")


@contextmanager
def _explained(feed: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise RulesFailed(
            f"the rules of feed {feed} could not be evaluated within {_TIME_LIMIT:.0f} s "
            f"({reason}); simplify them; its verdicts stay"
        ) from error


def preview_of(feed: str) -> str:
    """The key of verdicts that are decided for a preview."""
    return f"{feed} (preview)"


def outline_hash(outline: bytes) -> str:
    """The key of an outline among all policies that were used."""
    return hashlib.sha256(outline).hexdigest()
