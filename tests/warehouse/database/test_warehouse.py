"""The file: busy, newer, broken, compressed; statements that parse; the copy for analysts."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlglot

from warehouse.analytics import publish_copy, query
from warehouse.database import schema
from warehouse.database.arrow import table
from warehouse.database.session import Session
from warehouse.database.warehouse import Warehouse
from warehouse.errors import QueryRefused, WarehouseBroken, WarehouseBusy, WarehouseTooNew
from warehouse.walk.staging import BODY

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOLD = "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print(1, flush=True); input()"


def test_a_file_that_another_process_has_is_busy(warehouse: Warehouse) -> None:
    with warehouse.session():
        code = (
            "import pathlib, sys; from warehouse.database.warehouse import Warehouse\n"
            "from warehouse.errors import WarehouseBusy\n"
            "try:\n"
            "    with Warehouse(pathlib.Path(sys.argv[1]), wait=0.1).session(): pass\n"
            "except WarehouseBusy as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(warehouse.path)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "in use by another process" in done.stdout


def test_the_wait_for_a_busy_file_is_bounded(tmp_path: Path) -> None:
    waits: list[float] = []
    path = tmp_path / "w.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(WarehouseBusy),
            Warehouse(path, wait=0.5, sleep=waits.append).session(),
        ):
            pass
    finally:
        holder.communicate(b"\n")
    assert waits


def test_another_schema_is_refused_with_what_to_do(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.text("UPDATE schema_state SET tables = 'another'")
    with pytest.raises(WarehouseTooNew, match=r"of schema another.*SUBREGISTRY_HOME"):
        warehouse.session().__enter__()


def test_a_file_that_is_no_warehouse_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with (
        pytest.raises(WarehouseBroken, match=r"cannot be read.*a backup in its place"),
        Warehouse(path).session(),
    ):
        pass
    assert path.read_bytes().startswith(b"not a database")


def test_a_failed_transaction_leaves_nothing(warehouse: Warehouse) -> None:
    def fail(session: Session) -> None:
        with session.transaction(), session.registering(batch_bodies=table([("h", "{}")], BODY)):
            session.run("walk/select_known_bodies")
            session.run("walk/insert_bodies", now=NOW)
            raise RuntimeError

    with warehouse.session() as session:
        with pytest.raises(RuntimeError):
            fail(session)
        assert session.text("FROM bodies").num_rows == 0


def test_bodies_are_stored_compressed(warehouse: Warehouse) -> None:
    rows = table(
        [(str(number), f'{{"text":"{"some words " * 90}{number}"}}') for number in range(20_000)],
        BODY,
    )
    with warehouse.session() as session:
        with session.transaction(), session.registering(batch_bodies=rows):
            session.run("walk/select_known_bodies")
            session.run("walk/insert_bodies", now=NOW)
        session.checkpoint()
        kinds = session.text(
            "SELECT DISTINCT compression FROM pragma_storage_info('bodies') "
            "WHERE column_name = 'body' AND segment_type = 'VARCHAR'"
        ).to_pylist()
    assert kinds == [{"compression": "ZSTD"}]
    assert warehouse.path.stat().st_size < 6_000_000


@pytest.mark.timeout(60)
def test_a_stream_that_is_given_up_holds_nothing(warehouse: Warehouse) -> None:
    """An error keeps its frames alive, and with them a stream; the next session must not wait."""
    names = pa.table({"name": pa.array([f"a.b/{number}" for number in range(200_000)])})
    with warehouse.session() as session, session.registering(wanted_names=names):
        stream = session.batches("curation/list_wanted_names", 10)
        assert next(stream).num_rows == 10
    for _ in range(2):
        with warehouse.session() as session:
            assert session.rows("curation/count_verdicts", feed="f") == []


STATEMENTS = Path(schema.__file__).parents[1] / "sql"


@pytest.mark.parametrize(
    "name", sorted(path.parent.name + "/" + path.name for path in STATEMENTS.glob("*/*.sql"))
)
def test_every_statement_is_one_statement(name: str) -> None:
    text = (STATEMENTS / name).read_text().replace("{", "").replace("}", "")  # named inputs
    assert len([tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]) == 1


def test_the_schema_uses_nothing_that_a_lake_lacks() -> None:
    for text in schema.tables():
        for word in ("PRIMARY KEY", "UNIQUE", "REFERENCES", "CREATE SEQUENCE", "CREATE TYPE"):
            assert word not in text


def test_the_copy_is_queried_while_the_warehouse_is_written(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folder = tmp_path / "analytics"
    with pytest.raises(WarehouseBroken, match="no copy"):
        query(folder, "SELECT 1")
    first = publish_copy(warehouse, folder, now=NOW)
    with warehouse.session() as session:
        session.text("INSERT INTO bodies VALUES ('h', '{}', now())")
        assert query(folder, "SELECT count(*) AS n FROM bodies").to_pylist() == [{"n": 0}]
    second = publish_copy(warehouse, folder, now=NOW.replace(day=2))
    assert query(folder, "SELECT count(*) AS n FROM bodies").to_pylist() == [{"n": 1}]
    publish_copy(warehouse, folder, now=NOW.replace(day=3))
    assert (first.exists(), second.exists()) == (False, True)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "INSTALL httpfs",
        "ATTACH 'other.duckdb'",
        "SELECT nothing",
        "INSERT INTO bodies VALUES ('x', '{}', now())",
        "DROP TABLE bodies",
    ],
)
def test_a_query_cannot_write_and_says_what_is_wrong(
    warehouse: Warehouse, tmp_path: Path, sql: str
) -> None:
    publish_copy(warehouse, tmp_path, now=NOW)
    with pytest.raises(QueryRefused):
        query(tmp_path, sql)
