"""Verdicts: ordered rules as one set-based statement, and what every test came to.

Each rule's atoms are computed once per entry, an error in one making it unknown there; rules are
composed of them. The verdicts of a feed are replaced in one transaction; what changed is history.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import duckdb

from warehouse.columns import COLUMNS
from warehouse.errors import RulesFailed
from warehouse.logic import Tree
from warehouse.parts import COLUMNS as COLUMNS_OF_RULES
from warehouse.parts import FACTS, Part, computed, only, parts, staged
from warehouse.predicates import Atom, Predicate, sql_of
from warehouse.staging import TEXT, columns, table
from warehouse.warehouse import Row, Session

Verdict = Literal["admit", "exclude"]
Kind = Literal["block", "overlay", "must", "rule"]
Progress = Callable[[int, int], None]
"""Called with how many parts are done, and of how many."""
_TIME_LIMIT = 600.0
_BLOCKS = columns(target=TEXT, reason=TEXT)


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its checked predicate; `when` is how it was written.

    `unknown` says what it means that the predicate is unknown: `match` as if it were true, `skip`
    as if it were false.
    """

    name: str
    verdict: Verdict
    reason: str
    predicate: Predicate
    when: str = ""
    kind: Kind = "rule"
    unknown: Literal["match", "skip"] = "skip"


@dataclass(frozen=True)
class Cooldown:
    """How old a version must be; `bypass` are servers that do not wait."""

    period: timedelta
    bypass: Predicate | None = None


class RuleBook:
    """Rules in the order in which they are looked at, with atoms that they share.

    `blocks` are the reasons of what the rule `block` is about, by NAME or NAME@VERSION. `atoms`
    are distinct tests, `trees` one per rule over their numbers, `columns` all that is read.
    """

    def __init__(
        self,
        rules: Sequence[CompiledRule],
        *,
        default: Verdict,
        cooldown: Cooldown | None = None,
        blocks: Mapping[str, str] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.blocks = blocks or {}
        self.default = default
        self.cooldown = cooldown
        self.atoms: list[Atom] = []
        self.trees = [self._placed(rule.predicate) for rule in rules]
        self._bypass = self._placed(cooldown.bypass) if cooldown and cooldown.bypass else None
        self.columns = sorted({name for atom in self.atoms for name in atom.columns})

    def _placed(self, predicate: Predicate) -> Tree:
        """The tree of a predicate, over the atoms of the book."""
        numbers = []
        for atom in predicate.atoms:
            if atom not in self.atoms:
                self.atoms.append(atom)
            numbers.append(self.atoms.index(atom))
        return _renumbered(predicate.tree, numbers)

    def outline(self) -> str:
        """The book as JSON, for explanations: rules, atoms, trees, columns and their sources."""
        rules = [
            {
                "name": rule.name,
                "kind": rule.kind,
                "verdict": rule.verdict,
                "reason": rule.reason,
                "when": rule.when,
                "unknown": rule.unknown,
                "tree": tree,
            }
            for rule, tree in zip(self.rules, self.trees, strict=True)
        ]
        found: dict[str, Any] = {  # JSON
            "rules": rules,
            "default": self.default,
            "atoms": [{"text": atom.text, "columns": atom.columns} for atom in self.atoms],
            "sources": {name: COLUMNS[name].source for name in self.columns},
        }
        if self.cooldown:
            found["cooldown"] = self.cooldown.period.total_seconds()
            found["bypass"] = self._bypass
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def statement(self) -> str:
        """Set-based SQL; texts are bound, expressions were checked."""
        names = [f"atom_{number}" for number in range(len(self.atoms))]
        atoms = "".join(f", ({a.sql}) AS {n}" for a, n in zip(self.atoms, names, strict=True))
        rules = "".join(f", {sql_of(tree, names)} AS rule_{i}" for i, tree in enumerate(self.trees))
        count = len(self.rules)
        cases = " ".join(
            f"WHEN rule_{i} IS {'NOT FALSE' if rule.unknown == 'match' else 'TRUE'} THEN {i}"
            for i, rule in enumerate(self.rules)
        )
        decided = f"CASE {cases} ELSE {count} END" if cases else "0"
        unknown = ", ".join(
            f"CASE WHEN rule_{i} IS NULL AND decided >= {i} THEN $names[{i + 1}] END"
            for i in range(count)
        )
        results = _signs([f"rule_{i}" for i in range(count)])
        return f"""
            CREATE TEMP TABLE deciding AS
            SELECT
                $feed AS feed, upstream, name, version,
                CASE WHEN held THEN 'hold' ELSE $verdicts[decided + 1] END AS verdict,
                CASE WHEN held THEN 'cooldown' ELSE $names[decided + 1] END AS rule,
                CASE
                    WHEN held AND release IS NULL
                        THEN 'the publication of a package should be known and is not'
                    WHEN held THEN 'younger than ' || $period || ': held until '
                        || strftime(release, '%Y-%m-%dT%H:%M:%SZ')
                    ELSE $reasons[decided + 1]
                END AS reason,
                list_filter([{unknown}]::VARCHAR[], lambda x: x IS NOT NULL) AS unknown,
                $now AS decided_at, $policy_hash AS policy_hash, $outline_hash AS outline_hash,
                CASE WHEN held THEN release END AS held_until,
                {results} AS results, {_signs(names)} AS atoms,
                to_json({{
                    'upstream': upstream,
                    'asked_at': strftime(asked_at, '%Y-%m-%dT%H:%M:%SZ'),
                    'sources': sources,
                    'release': CASE WHEN $wait IS NULL THEN NULL
                        ELSE coalesce(strftime(release, '%Y-%m-%dT%H:%M:%SZ'), 'unknown') END,
                    'values': {{{self._values()}}}
                }})::VARCHAR AS seen
            FROM (
                SELECT
                    *,
                    CASE WHEN publication_known THEN
                        greatest(known_since, newest_publication) + to_microseconds($wait)
                    END AS release,
                    $wait IS NOT NULL AND $verdicts[decided + 1] = 'admit'
                        AND NOT $exempt[decided + 1] AND NOT bypass AND status <> 'deleted'
                        AND coalesce(release > $now, true) AS held
                FROM (
                    SELECT *, {decided} AS decided, {self._passing(names)} AS bypass
                    FROM (
                        SELECT *{rules}
                        FROM (
                            SELECT *{atoms}
                            FROM policy_columns($now)
                            SEMI JOIN current_bindings USING (name, upstream)
                            WHERE hash(name) % $parts = $part
                        )
                    )
                )
            )
        """  # noqa: S608 - expressions passed warehouse.predicates, everything else is bound

    def _passing(self, names: Sequence[str]) -> str:
        return (
            "false" if self._bypass is None else f"coalesce({sql_of(self._bypass, names)}, false)"
        )

    def _values(self) -> str:
        shown = {"TIMESTAMPTZ": "strftime({0}, '%Y-%m-%dT%H:%M:%SZ')"}
        return ", ".join(
            f"'{name}': {shown.get(COLUMNS[name].kind, '{0}').format(name)}"
            for name in self.columns or ["name"]
        )

    def parameters(self) -> dict[str, object]:
        """The values of the statement's parameters but for feed, policy and instant."""
        found: dict[str, object] = {
            "names": [rule.name for rule in self.rules] + ["default"],
            "verdicts": [rule.verdict for rule in self.rules] + [self.default],
            "reasons": [rule.reason for rule in self.rules] + ["no rule decided"],
            "exempt": [rule.kind == "overlay" for rule in self.rules] + [False],
            "wait": None,
            "period": "",
        }
        if self.cooldown:
            found["wait"] = self.cooldown.period // timedelta(microseconds=1)
            found["period"] = _shown(self.cooldown.period)
        for atom in self.atoms:
            found |= atom.parameters
        return found


def _renumbered(tree: Tree, numbers: Sequence[int]) -> Tree:
    if isinstance(tree, int):
        return numbers[tree]
    return tree[0], tuple(_renumbered(part, numbers) for part in tree[1])


def _signs(names: Sequence[str]) -> str:
    """SQL for one sign per column: t, f or ?."""
    found = ", ".join(
        f"CASE {name} WHEN TRUE THEN 't' WHEN FALSE THEN 'f' ELSE '?' END" for name in names
    )
    return f"concat({found})" if names else "''"


def _shown(period: timedelta) -> str:
    hours = period / timedelta(hours=1)
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"


def decide(
    session: Session,
    feed: str,
    book: RuleBook,
    *,
    policy_hash: str,
    now: datetime,
    servers: int | None = None,
    progress: Progress = lambda *_: None,
) -> list[Row]:
    """Replace the verdicts of a feed, in one transaction; returns counts by verdict and rule.

    The first rule that matches decides. It goes in parts of about so many `servers` (default: by
    the memory there is). Raises RulesFailed if the rules took too long, WarehouseFull if more
    memory or disk is needed than there is; the verdicts before stay.
    """
    last = session.rows("read_last_change", feed=feed, at=None)[0]["changed_at"]
    at = max(now, last + timedelta(microseconds=1)) if last else now
    with (
        _judged(session, feed, book, at, servers, policy_hash, now, progress),
        session.transaction(),
    ):
        session.run("delete_verdicts", feed=_preview_of(feed))
        session.run("insert_verdict_history", feed=feed)
        session.run("insert_lost_verdicts", feed=feed, now=at)
        session.run("delete_verdicts", feed=feed)
        session.run("insert_verdicts")
        session.run("insert_verdict_change", feed=feed, at=at)
        session.run(
            "insert_policy",
            feed=feed,
            policy_hash=policy_hash,
            outline_hash=_hash(book.outline()),
            outline=book.outline(),
            now=now,
        )
        return session.rows("count_verdicts", feed=feed)


@contextmanager
def provisional(session: Session, feed: str, book: RuleBook, *, now: datetime) -> Iterator[str]:
    """Verdicts for the time of the block, under the key that is given; no history is kept."""
    key = _preview_of(feed)
    try:
        with (
            _judged(session, key, book, now, None, "preview", now, lambda *_: None),
            session.transaction(),
        ):
            session.run("delete_verdicts", feed=key)
            session.run("insert_verdicts")
        yield key
    finally:
        session.run("delete_verdicts", feed=key)


@contextmanager
def _judged(
    session: Session,
    feed: str,
    book: RuleBook,
    changed_at: datetime,
    servers: int | None,
    policy_hash: str,
    now: datetime,
    progress: Progress,
) -> Iterator[None]:
    """Verdicts on everything, in the temporary table `next_verdicts`. Raises RulesFailed."""
    everything = parts(session, servers)
    steps = 2 * len(everything)
    _renew(session, everything, lambda done: progress(done, steps))
    parameters = book.parameters() | {
        "feed": feed,
        "policy_hash": policy_hash,
        "outline_hash": _hash(book.outline()),
        "now": now,
    }
    blocks = table(list(book.blocks.items()), _BLOCKS)
    statement = book.statement()
    with staged(session, "verdicts"):
        with computed(session, "name_look_alikes"), computed(session, "current_bindings"):
            for number, part in enumerate(everything, start=1):
                with (
                    only(session, part, COLUMNS_OF_RULES, entries=False),
                    _explained(feed),
                    session.limited(_TIME_LIMIT),
                    session.given(batch_blocks=blocks),
                ):
                    session.run("drop_deciding")
                    session.text(statement, parameters | part.parameters)
                    session.run("update_blocked")
                session.run("stage_verdicts", feed=feed, now=changed_at)
                progress(len(everything) + number, steps)
            session.run("drop_deciding")
        yield


def _renew(session: Session, everything: Sequence[Part], done: Callable[[int], None]) -> None:
    """Work out what packages and other servers have to do with each entry, in one transaction.

    What packages have to do with it goes in parts; the rest is narrow.
    """
    with staged(session, "served_packages", "package_columns", "advisory_columns"):
        with computed(session, "package_claims"):  # a part does not know those of others
            for number, part in enumerate(everything, start=1):
                with only(session, part, FACTS, entries=True):
                    with computed(session, "entry_packages"):
                        session.run("stage_served_packages")
                        session.run("stage_package_columns")
                    session.run("stage_advisory_columns")
                done(number)
        with computed(session, "standing_servers"), session.transaction():
            for statement in (
                "delete_served_packages",
                "insert_served_packages",
                "delete_package_columns",
                "insert_package_columns",
                "delete_advisory_columns",
                "insert_advisory_columns",
                "delete_clusters",
                "insert_clusters",
                "delete_server_columns",
                "insert_server_columns",
            ):
                session.run(statement)


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


def _preview_of(feed: str) -> str:
    return f"{feed} (preview)"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_curated(session: Session, feed: str, policy_hash: str) -> bool:
    """Whether the verdicts of a feed are there, and are those of this document."""
    found = session.rows("read_curation", feed=feed)
    return [row["policy_hash"] for row in found] == [policy_hash]
