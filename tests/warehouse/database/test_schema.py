"""The schema: created, migrated from the shape that landed last, refused otherwise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse.database import schema
from warehouse.database.warehouse import Warehouse
from warehouse.errors import WarehouseBroken, WarehouseTooNew

_STATE = ("derivation", "derived_upstreams", "rederived", "touched", "curations")
_DERIVED = ("package_claimants", "standing_servers", "server_keys", "remote_hosts")
_NEW = {"ecosystems", "verdict_fingerprint", "accounts", "audit_heads", "passes_age"}
_NEW |= {*_STATE, *_DERIVED, *(f"{table}_now" for table in _DERIVED)}
"""Relations added since then; some tables were views."""
_NEW_COLUMNS = {
    *(("walks", "complete"), ("entry_packages", "registry_base_url")),
    ("verdicts", "seen_fingerprint"),
} | {
    (relation, column)
    for relation in ("package_columns", "package_columns_now", "policy_columns")
    for column in (
        "license_statuses",
        "package_identifiers",
        "npm_scopes",
        "image_hosts",
        "image_owners",
    )
}
_RENAMED = {
    "print": "fingerprint",
    "owed": "deferred",
    "settled": "complete",
    "share": "load_factor",
    "served": "published_entries",
}
_LANDED = Path(__file__).with_name("landed.sql").read_text()


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    """A warehouse as the 90 files made it, with three rows in every table."""
    path = tmp_path / "landed.duckdb"
    with duckdb.connect(path) as old:
        old.execute("SET TimeZone='UTC'")
        old.execute("CREATE TABLE schema_version (version INTEGER)")
        old.execute(_LANDED)
        old.execute("INSERT INTO schema_version VALUES (25), (90)")
        for (table,) in old.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            if table == "schema_version":
                continue
            columns = old.execute(
                "SELECT data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
                [table],
            ).fetchall()
            values = ", ".join(_value(kind) for (kind,) in columns)
            old.execute(f"INSERT INTO {table} SELECT {values} FROM range(3)")
        old.execute("UPDATE state SET url = 'https://me:secret@registry.example/base'")
    return path


def _value(kind: str) -> str:
    if kind.endswith("[]"):
        return f"[{_value(kind.removesuffix('[]'))}]"
    return {
        "VARCHAR": "'text ' || range",
        "BLOB": "'raw'::BLOB",
        "BOOLEAN": "range % 2 = 0",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2026-01-05 12:00:00+00' + to_hours(range)",
    }.get(kind, "range")


def rows(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[object, ...]]]:
    names = [
        row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    ]
    return {
        name: sorted(connection.execute(f"FROM {name}").fetchall(), key=str)
        for name in names
        if not name.startswith("schema_")
    }


def relations(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Columns of tables and views, in order, and the parameters of macros."""
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    return [
        *connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE table_oid IN (SELECT table_oid FROM duckdb_tables()) "
            "AND NOT starts_with(table_name, 'schema_') ORDER BY table_name, column_index"
        ).fetchall(),
        *((name, *row) for (name,) in views for row in _described(connection, name)),
        *connection.execute(
            "SELECT function_name, function_type, parameters::VARCHAR FROM duckdb_functions() "
            "WHERE NOT internal ORDER BY ALL"
        ).fetchall(),
    ]


def _described(connection: duckdb.DuckDBPyConnection, view: str) -> list[tuple[object, ...]]:
    return connection.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()


def _renamed(shape: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(tuple(_RENAMED.get(str(part), part) for part in row) for row in shape)


@pytest.mark.parametrize("number", [90, None])
def test_the_shape_that_landed_last_is_handed_over_row_by_row(
    landed: Path, tmp_path: Path, number: int | None
) -> None:
    with duckdb.connect(landed) as old:
        if number is None:  # the same tables, made by the first baseline
            old.execute("DROP TABLE schema_version")
            old.execute(
                "CREATE TABLE schema_state (tables VARCHAR NOT NULL, views VARCHAR NOT NULL)"
            )
            old.execute("INSERT INTO schema_state VALUES (?, 'other')", [schema._UPGRADES[0][0][1]])
    with duckdb.connect(landed, read_only=True) as old:
        old.execute("SET TimeZone='UTC'")
        before, shape = rows(old), _renamed(relations(old))
    assert all(len(table_rows) == 3 for table_rows in before.values())
    for _ in range(2):  # a second session changes nothing
        with Warehouse(landed).session():
            pass
        with duckdb.connect(landed, read_only=True) as new:
            new.execute("SET TimeZone='UTC'")
            after = rows(new)
            converted = relations(new)
            kept = [row for row in converted if row[0] not in _NEW and row[:2] not in _NEW_COLUMNS]
            assert sorted(kept) == [row for row in shape if row[0] not in _NEW]
    before["published_entries"] = before.pop("served")
    assert {row[1] for row in after["state"]} == {"https://registry.example/base"}
    # Credentials were removed from the URL, so this table differs.
    assert before.pop("state") != after.pop("state")
    assert before.pop("package_columns")
    assert after.pop("package_columns") == []  # derived at each curation
    assert after.pop("accounts") == after.pop("audit_heads") == []
    assert all(after.pop(table) == [] for table in (*_STATE, *_DERIVED))
    for table in ("walks", "verdicts"):
        after[table] = [row[:-1] for row in after[table]]
    assert after == before
    with Warehouse(tmp_path / "fresh.duckdb").session():
        pass
    with duckdb.connect(tmp_path / "fresh.duckdb", read_only=True) as fresh:
        assert relations(fresh) == converted


def test_every_relation_has_its_comment(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb").session() as session:
        for source, name in (("duckdb_tables()", "table_name"), ("duckdb_views()", "view_name")):
            uncommented = session.text(
                f"SELECT {name} AS name FROM {source} WHERE NOT internal AND comment IS NULL"
            ).to_pylist()
            assert [row["name"] for row in uncommented if row["name"] != "schema_state"] == []


@pytest.mark.parametrize("number", [25, 89, 91])
def test_any_other_number_is_refused_with_what_to_do(landed: Path, number: int) -> None:
    with duckdb.connect(landed) as old:
        old.execute("DELETE FROM schema_version")
        old.execute("INSERT INTO schema_version VALUES (?)", [number])
    with pytest.raises(WarehouseTooNew, match=f"number {number}.*SUBREGISTRY_HOME"):
        Warehouse(landed).session().__enter__()
    with duckdb.connect(landed, read_only=True) as old:
        assert all(len(table_rows) == 3 for table_rows in rows(old).values())


def test_the_number_alone_is_not_believed(landed: Path) -> None:
    with duckdb.connect(landed) as old:
        old.execute("ALTER TABLE walks DROP COLUMN missing")
    with pytest.raises(WarehouseTooNew, match="altered"):
        Warehouse(landed).session().__enter__()


def test_a_file_of_somebody_else_is_let_alone(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "other.duckdb") as foreign:
        foreign.execute("CREATE TABLE theirs AS SELECT 1 AS one")
    with pytest.raises(WarehouseBroken, match="tables of its own"):
        Warehouse(tmp_path / "other.duckdb").session().__enter__()


def test_views_are_made_anew_when_one_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.session() as session:
        session.text("CREATE VIEW left_behind AS SELECT 1 AS one")
    texts = (*schema.views(), "-- One more.\nCREATE OR REPLACE VIEW one_more AS SELECT 2 AS two")
    monkeypatch.setattr(schema, "views", lambda: texts)
    with warehouse.session() as session:
        assert session.text("FROM one_more").to_pylist() == [{"two": 2}]
        views = session.text("SELECT view_name AS name FROM duckdb_views() WHERE NOT internal")
    assert "left_behind" not in views["name"].to_pylist()


def test_another_process_finds_the_same_schema() -> None:
    """Else each process would make the views again."""
    script = "from warehouse.database import schema; print('\\n'.join(schema.views()))"
    texts = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(texts)) == 1


def test_a_relation_has_a_file_of_its_name() -> None:
    folder = Path(schema.__file__).parents[1] / "sql" / "schema" / "views"
    definition = re.compile(r"^CREATE OR REPLACE (?:VIEW|MACRO) (\w+)", re.MULTILINE)
    for path in folder.glob("*.sql"):
        assert definition.findall(path.read_text()) == [path.stem]


def test_another_comment_is_no_other_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    with warehouse.session():
        pass
    first, *others = schema.tables()
    statement = "CREATE" + first.partition("CREATE")[2]
    texts = (f"-- Said in other words.\n{statement}", *others)
    monkeypatch.setattr(schema, "tables", lambda: texts)
    with warehouse.session() as session:
        comments = session.text("SELECT comment FROM duckdb_tables() WHERE table_name = 'state'")
    assert comments.to_pylist() == [{"comment": "Said in other words."}]
