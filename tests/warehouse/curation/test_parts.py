"""Curation in parts: with any partition by hash, and after a failure."""

from pathlib import Path

import pytest

from bench.curate import NOW, fill
from warehouse.curation.decide import decide
from warehouse.curation.parts import parts, scoped
from warehouse.database.warehouse import Warehouse
from warehouse.errors import RulesFailed
from warehouse.expressions.compile import compile_predicate
from warehouse.rules.language import Atom, Predicate
from warehouse.rules.rulebook import CompiledRule, RuleBook

ADMIT = RuleBook(
    [CompiledRule("new", "admit", "new", compile_predicate("publisher_rank < 3"))],
    default="exclude",
)


@pytest.fixture
def filled(tmp_path: Path) -> Warehouse:
    fill(tmp_path / "w.duckdb", 3000)
    return Warehouse(tmp_path / "w.duckdb")


def test_every_server_is_in_one_part(filled: Warehouse) -> None:
    with filled.session() as session, scoped(session, "curation/select_everything"):
        cut = parts(session, 300)
        assert [part.number for part in cut] == [0, 1, 2, 3]
        counted = sum(
            session.text(
                "SELECT count(DISTINCT name) AS n FROM entries WHERE hash(name) % $parts = $part",
                part.parameters,
            ).to_pylist()[0]["n"]
            for part in cut
        )
        assert counted == 1000
        assert len(parts(session)) == 1


def test_groups_that_are_cut_through_count_as_one(filled: Warehouse) -> None:
    with filled.session() as session:
        counts = decide(session, "f", ADMIT, policy_hash="p", now=NOW).counts
        session.text("UPDATE derivation SET software = ''")
        other = decide(session, "g", ADMIT, policy_hash="p", now=NOW, servers=200)
        assert other.counts == counts
        assert {row["verdict"] for row in counts} == {"admit", "exclude"}


def test_after_rules_that_failed_the_session_can_go_on(filled: Warehouse) -> None:
    # Made without the compiler, which would refuse it; fails for every row.
    broken = Predicate(0, (Atom("x", "error(name)", ("name",)),), nullable=False)
    book = RuleBook([CompiledRule("r", "admit", "x", broken)], default="exclude")
    with filled.session() as session:
        before = decide(session, "f", ADMIT, policy_hash="p", now=NOW, servers=300).counts
        for _ in range(2):
            with pytest.raises(RulesFailed, match="simplify them; its verdicts stay"):
                decide(session, "f", book, policy_hash="q", now=NOW, servers=300)
        assert session.rows("curation/count_verdicts", feed="f") == before
        leftovers = session.text("SELECT table_name FROM duckdb_tables() WHERE temporary")
        assert leftovers.num_rows == 0
        assert decide(session, "f", ADMIT, policy_hash="p", now=NOW).counts == before
