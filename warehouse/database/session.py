"""One open connection. Statements are named by their file; composed SQL has one way in."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from warehouse.database.memory import limit_of, shortage_explained

Row = dict[str, Any]  # values of SQL columns, typed by the statement


@cache
def statement(name: str) -> str:
    """The text of `warehouse/sql/NAME.sql`."""
    return (files("warehouse") / "sql" / f"{name}.sql").read_text("utf-8")


class Session:
    """One open connection. Statements are named by their file; parameters are bound by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._limit = limit_of(connection)
        self._given: dict[str, pa.Table] = {}
        self._readers: list[pa.RecordBatchReader] = []

    @property
    def memory_limit(self) -> int:
        """How much memory DuckDB may use, in bytes."""
        return self._limit

    def run(self, name: str, /, **parameters: object) -> int:
        """Run a statement; return how many rows it inserted, updated or deleted."""
        with self._explained():
            row = self._execute(statement(name), parameters).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def rows(self, name: str, /, **parameters: object) -> list[Row]:
        return self.table(name, **parameters).to_pylist()

    def table(self, name: str, /, **parameters: object) -> pa.Table:
        with self._explained():
            return self._execute(statement(name), parameters).to_arrow_table()

    def batches(self, name: str, /, size: int, **parameters: object) -> Iterator[pa.RecordBatch]:
        """Stream a result; other statements may run on this session meanwhile."""
        # A cursor is a new connection: it has neither local settings nor registered tables.
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone='UTC'")
        for given, table in self._given.items():
            cursor.register(given, table)
        with self._explained():
            reader = cursor.execute(statement(name), parameters or None).to_arrow_reader(size)
            self._readers.append(reader)
            try:
                yield from reader
            finally:
                reader.close()
                self._readers.remove(reader)

    def close(self) -> None:
        """Close open streams first: DuckDB would wait for them at the next opening."""
        for reader in self._readers:
            reader.close()
        self._connection.close()

    def text(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Run composed SQL: compiled policies and users' queries. Everything else has a file."""
        with self._explained():
            return self._execute(sql, dict(parameters or {})).to_arrow_table()

    def rows_of(self, relation: str, rows: Sequence[Row]) -> pa.Table:
        """Rows as an Arrow table with the columns of a table; a missing column is NULL.

        Raises KeyError for a column that the table does not have, pyarrow's errors for another
        type.
        """
        schema = self.text(f"FROM {relation} LIMIT 0").schema
        # pyarrow would drop unknown columns silently.
        for name in {key for row in rows for key in row} - set(schema.names):
            raise KeyError(f"{relation} has no column {name}")
        return pa.Table.from_pylist(rows, schema=schema)

    @contextmanager
    def registering(self, **tables: pa.Table) -> Iterator[None]:
        """Make Arrow tables available to the statements inside, named by the keywords.

        An inner block may use a name again; the outer table returns after it.
        """
        for name, table in tables.items():
            self._connection.register(name, table)
        before, self._given = self._given, self._given | tables
        try:
            yield
        finally:
            self._given = before
            with suppress(duckdb.ConnectionException):  # a stream that outlives its session
                for name in tables:
                    self._connection.unregister(name)
                    if name in before:
                        self._connection.register(name, before[name])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on any error."""
        self._connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        with self._explained():
            self._connection.execute("COMMIT")

    @contextmanager
    def with_timeout(self, seconds: float) -> Iterator[None]:
        """Interrupt statements that run for longer than so many seconds."""
        timer = threading.Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def use_threads(self, count: int) -> None:
        """Set the threads from now on: two suit scans; bulk loads need half the CPU with one."""
        self._connection.execute(f"SET threads = {count}")

    def checkpoint(self) -> None:
        with self._explained():
            self._connection.execute("CHECKPOINT")

    def _explained(self) -> AbstractContextManager[None]:
        return shortage_explained(self._path, self._limit)

    def _execute(self, sql: str, parameters: dict[str, object]) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or None)
