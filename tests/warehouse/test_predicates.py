"""Rule expressions: what passes means what it says, what could do harm does not pass."""

from datetime import UTC, datetime

import pytest

from warehouse.columns import COLUMNS
from warehouse.curation import CompiledRule, RuleBook, decide
from warehouse.errors import ExpressionRefused
from warehouse.predicates import compile_predicate, sql_of
from warehouse.warehouse import Session, Warehouse

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "one boolean expression"),
        ("name = 'a'; DROP TABLE entries", "one boolean expression"),
        ("name =", "not an SQL expression"),
        ("name = 'a", "not an SQL expression"),
        ("nam = 'a'", "there is no column `nam`"),
        ("entries.name = 'a'", "there is no column `entries.name`"),
        ("name IN (SELECT name FROM entries)", "not allowed"),
        ("EXISTS (SELECT 1)", "not allowed"),
        ("name = read_text('/etc/passwd')", "not allowed"),
        ("published_at < now()", "not allowed"),
        ("random() < 0.5", "not allowed"),
        ("list_contains(range(100000000), 1)", "not allowed"),
        ("name ~ 'b'", "not allowed"),
        ("getenv('HOME') = 'x'", "not allowed"),
        ("count(*) OVER () > 1", "not allowed"),
        ("1 IN (1 /* */, 2) OR $feed = 'x'", "not allowed"),
        ("name = 'x' AND " * 90 + "true", "too large"),
        ("name = '" + "x" * 3000 + "'", "longer than"),
        ("(" * 3000 + "true" + ")" * 3000, "longer than"),
        ("DELETE FROM entries", "not allowed"),
        ("name", "gives VARCHAR, not true or false"),
        ("package_count + 1", "gives"),
        ("name IN ()", "not an SQL expression|not allowed|syntax"),
        ("ATTACH 'x'", "not allowed"),
        ("COPY entries TO 'x'", "not allowed"),
    ],
)
def test_what_could_do_harm_is_refused_with_the_reason(expression: str, says: str) -> None:
    with pytest.raises(ExpressionRefused, match=says):
        compile_predicate(expression)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("name = 'a.b/c' AND NOT is_latest", False),
        ("name LIKE 'a.%' OR status IN ('deleted')", True),
        ("starts_with(name, 'a.b/')", True),
        ("contains(lower(description), 'weather')", True),
        ("list_contains(registry_types, 'npm')", True),
        ("package_count BETWEEN 1 AND 3", True),
        ("package_count * 2 - 1 > -3", True),
        ("title IS NULL", True),
        ("coalesce(title, description) = title", None),
        ("length(name) >= 5", True),
        ("upper(version) <> '1.0.0'", False),
        ("'100%_x' LIKE '100\\%%'", False),
        ("NOT (title = 'x' AND is_latest)", None),
        ("(name NOT IN ('x')) <= is_latest", True),
        ("title IS NOT NULL OR is_latest", True),
    ],
)
def test_what_is_written_is_what_runs(
    warehouse: Warehouse, expression: str, value: bool | None
) -> None:
    row = (
        "SELECT 'a.b/c' AS name, '1.0.0' AS version, 'Weather here' AS description, "
        "NULL::VARCHAR AS title, true AS is_latest, 'active' AS status, 1 AS package_count, "
        "['npm'] AS registry_types"
    )
    with warehouse.session() as session:
        results = [
            session.text(f"SELECT ({text}) AS value FROM ({row})").to_pylist()
            for text in (expression, composed(expression))
        ]
    assert results == [[{"value": value}]] * 2


def test_every_documented_column_is_there(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        rows = session.text("DESCRIBE FROM policy_columns(now())").to_pylist()
    kinds = {row["column_name"]: row["column_type"] for row in rows}
    for name, column in COLUMNS.items():
        assert kinds[name].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") == column.kind


def test_a_rule_that_is_unknown_does_not_decide_and_is_named(warehouse: Warehouse) -> None:
    rules = [
        CompiledRule("titled", "exclude", "has a title", compile_predicate("title = 'x'")),
        CompiledRule("first", "admit", 'it\'s "fine"; --', compile_predicate("name = 'a.b/c'")),
    ]
    with warehouse.session() as session:
        insert_entry(session, "a.b/c")
        insert_entry(session, "a.b/d")
        decide(session, "f", RuleBook(rules, default="exclude"), policy_hash="p", now=NOW)
        found = session.text(
            "SELECT name, verdict, rule, reason, unknown FROM verdicts ORDER BY name"
        ).to_pylist()
    assert found == [
        {
            "name": "a.b/c",
            "verdict": "admit",
            "rule": "first",
            "reason": 'it\'s "fine"; --',
            "unknown": ["titled"],
        },
        {
            "name": "a.b/d",
            "verdict": "exclude",
            "rule": "default",
            "reason": "no rule decided",
            "unknown": ["titled"],
        },
    ]


def composed(expression: str) -> str:
    found = compile_predicate(expression)
    return sql_of(found.tree, [atom.sql for atom in found.atoms])


def insert_entry(session: Session, name: str) -> None:
    session.text(
        "INSERT INTO entries SELECT 'official', $name, '1', 's', 'm', NULL, 'active', NULL, true, "
        "now(), now(), NULL, 1, now(), NULL, NULL, 0",
        {"name": name},
    )
    session.text("INSERT INTO bindings VALUES ($name, 'official', now())", {"name": name})
