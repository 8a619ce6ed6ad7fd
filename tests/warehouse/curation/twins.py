"""Two warehouses with the same history: one is curated by what changed, the other always whole."""

import copy
import random
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.warehouse.curation.world import START, Change, World
from warehouse.curation.decide import Curation, decide
from warehouse.curation.feeds import forget_fingerprints
from warehouse.database.session import Session
from warehouse.database.warehouse import Warehouse
from warehouse.expressions.compile import compile_predicate
from warehouse.rules.columns import COLUMNS
from warehouse.rules.language import name_predicate
from warehouse.rules.rulebook import CompiledCooldown, CompiledDrop, CompiledRule, RuleBook

# What changes by itself is compared without.
_ALONE = {
    "package_columns": ("asked_at",),
    "verdicts": ("seen",),
    "verdict_history": ("seen",),
    "derivation": ("number", "reviewed", "reviewed_at", "derived_at"),
    "curations": ("derivation", "decided_at"),
}
_TABLES = (
    *("served_packages", "package_columns", "package_claimants", "standing_servers"),
    *("server_keys", "remote_hosts", "clusters", "server_columns", "derivation"),
    *("derived_upstreams", "curations"),
    *("verdicts", "verdict_history", "lost_verdicts", "verdict_changes", "policies"),
)


def rule(name: str, when: str, verdict: Any = "exclude", **options: Any) -> CompiledRule:
    return CompiledRule(name, verdict, name, compile_predicate(when), when, **options)


@cache
def every_column() -> RuleBook:
    """A book that reads every column, so that any other value shows."""
    tests = [f"{name} IS NULL" for name in COLUMNS]
    return RuleBook(
        [rule(f"r{number}", test) for number, test in enumerate(tests)], default="admit"
    )


_AGES = (
    rule("young", "age_days < 9"),
    rule("between", "updated_days BETWEEN 3 AND 5"),
    rule("old package", "package_age_days > 30 AND is_latest"),
)
_BYPASS = compile_predicate("publisher = 'com.acme'")


def with_ages(blocks: dict[str, str]) -> RuleBook:
    """Ages at which the result turns, a cooldown, blocks."""
    blocked = CompiledRule(
        "block", "exclude", "blocked", name_predicate([*blocks], "blocked", "block"), kind="block"
    )
    return RuleBook(
        [
            blocked,
            *_AGES,
        ],
        default="admit",
        cooldown=CompiledCooldown(timedelta(days=4), _BYPASS),
        blocks=blocks,
    )


@cache
def beside_another_column() -> RuleBook:
    """An age beside another column: no age says alone when the result turns."""
    return RuleBook([rule("beside", "age_days + package_count = 12")], default="admit")


@cache
def one_version(strict: bool) -> RuleBook:
    """Groups, tests of single packages, a cooldown, and only the latest admitted version."""
    each = compile_predicate("any_package(yanked)").atoms[0].each
    return RuleBook(
        [
            rule("copy", "NOT is_canonical"),
            rule("many", f"publisher_rank > {3 if strict else 5} OR host_rank > 4"),
            rule("bad", "any_package(install_scripts AND ownership = 'mismatch')"),
            rule("claimed", "claimant_count > 3", unknown="match"),
        ],
        default="admit",
        cooldown=CompiledCooldown(timedelta(days=2)),
        choose_latest=lambda versions: max(range(len(versions)), key=lambda i: versions[i]),
        drops=[CompiledDrop("yanked", "taken back", each)],
    )


class Twins:
    """Two warehouses with the same history. One is always curated whole."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(self.random)
        self.now = START
        self.paths = [folder / "incremental.duckdb", folder / "whole.duckdb"]
        self.blocks: dict[str, str] = {}
        self.strict = False
        self._stack = ExitStack()
        self.sessions: list[Session] = []
        self._open()

    def copied(self, folder: Path) -> "Twins":
        """The same twins in another folder; the first are closed."""
        self._stack.close()
        twins = Twins(folder, 0)
        twins._stack.close()
        twins.now, twins.blocks, twins.strict = self.now, dict(self.blocks), self.strict
        twins.random, twins.world = copy.deepcopy((self.random, self.world))
        for path, place in zip(self.paths, twins.paths, strict=True):
            shutil.copy(path, place)
        twins._open()
        return twins

    def __enter__(self) -> "Twins":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        self.sessions = [
            self._stack.enter_context(Warehouse(path).session()) for path in self.paths
        ]

    def apply(self, change: Change) -> None:
        for session in self.sessions:
            change(session, self.now)

    def curate(self) -> list[Curation]:
        """Curate both; return what the incremental curations came to."""
        books = {
            "all": every_column(),
            "ages": with_ages(self.blocks),
            "one": one_version(self.strict),
            "daily": beside_another_column(),
        }
        done = []
        for whole, session in enumerate(self.sessions):
            if whole:
                session.text("UPDATE derivation SET software = ''")
            for feed, book in books.items():
                policy = f"{feed} {self.strict and feed == 'one'}"
                done.append(decide(session, feed, book, policy_hash=policy, now=self.now))
        return done[: len(books)]

    def differences(self) -> dict[str, list[str]]:
        """By table, the rows that one warehouse has and the other has not."""
        first, second = (
            {table: _rows(session, table) for table in _TABLES} for session in self.sessions
        )
        return {
            table: sorted(set(first[table]) ^ set(second[table]))
            for table in _TABLES
            if first[table] != second[table]
        }

    def keep(self) -> None:
        """Copy the warehouses."""
        self._stack.close()
        for path in self.paths:
            shutil.copy(path, path.with_suffix(".kept"))
        self._open()

    def restore(self) -> None:
        """Put back an older copy of the warehouse; the clock goes on."""
        self._stack.close()
        for path in self.paths:
            shutil.copy(path.with_suffix(".kept"), path)
        self._open()

    def play(self, names: Sequence[str]) -> None:
        """Make some changes, one after the other."""
        for name in names:
            match name:
                case "wait":
                    self.now += timedelta(hours=self.random.randrange(1, 200))
                case "clock back":
                    self.now -= timedelta(hours=3)
                case "block":
                    servers = [key[0] for known in self.world.entries.values() for key in known]
                    target = self.random.choice(sorted(servers) or ["a.b/c"])
                    if self.blocks.pop(target, None) is None:
                        self.blocks[target] = self.random.choice(["bad", "worse"])
                case "policy":
                    self.strict = not self.strict
                case "forget":
                    self.apply(_forget)
                case "restore":
                    self.restore()
                case _:
                    self.now += timedelta(minutes=7)
                    self.apply(getattr(self.world, name)(self.now))


def _forget(session: Session, _now: datetime) -> None:
    """What a build does that shows an entry otherwise than decided."""
    rows = session.text(
        "SELECT upstream, name, version FROM verdicts WHERE feed = 'all' ORDER BY ALL LIMIT 2"
    ).to_pylist()
    keys = [(row["upstream"], row["name"], row["version"]) for row in rows]
    forget_fingerprints(session, "all", keys)


def walked(session: Session, _now: datetime) -> None:
    session.text(
        "UPDATE state SET watermark = committed_at, "
        "full_walk_at = coalesce(full_walk_at, committed_at) + INTERVAL 1 HOUR"
    )


def _rows(session: Session, table: str) -> list[str]:
    without = ", ".join(_ALONE.get(table, ()))
    columns = f"* EXCLUDE ({without})" if without else "*"
    rows = f"SELECT to_json(t)::VARCHAR AS row FROM (SELECT {columns} FROM {table}) t"
    return [row["row"] for row in session.text(f"{rows} ORDER BY ALL").to_pylist()]
