"""The file, its lock and its schema: open, use briefly, close.

DuckDB lets one process write or many read. So a session is short, a busy file is waited for a
bounded time, and nobody talks HTTP inside one. What is stored is decided in the other modules.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from warehouse.errors import WarehouseBroken, WarehouseBusy, WarehouseError, WarehouseTooNew
from warehouse.memory import default_limit, fullness_explained, limit_of, there
from warehouse.sizes import parse_size

log = logging.getLogger(__name__)

GENERATION = 2
"""Rises when parsing changes so that entries must be read again: the next pull is a full walk."""

Row = dict[str, Any]  # values of SQL columns; their types are those of the statement


@cache
def statement(name: str) -> str:
    """The text of `warehouse/sql/NAME.sql`."""
    return (files("warehouse") / "sql" / f"{name}.sql").read_text("utf-8")


@cache
def schema() -> tuple[str, ...]:
    """The statements that make the schema, in order; their count is its version."""
    folder = files("warehouse") / "sql" / "schema"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return tuple((folder / name).read_text("utf-8") for name in names)


class Session:
    """One open connection. Statements are named by their file; parameters are bound by name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._limit = limit_of(connection)
        self._given: dict[str, pa.Table] = {}

    def memory_limit(self) -> int:
        """How much memory DuckDB may use, in bytes."""
        return self._limit

    def run(self, name: str, /, **parameters: object) -> int:
        """Run a statement; return the rows it counted (inserted, updated, deleted)."""
        with self._explained():
            done = self._execute(statement(name), parameters).fetchone()
        return int(done[0]) if done and isinstance(done[0], int) else 0

    def rows(self, name: str, /, **parameters: object) -> list[Row]:
        return self.table(name, **parameters).to_pylist()

    def table(self, name: str, /, **parameters: object) -> pa.Table:
        with self._explained():
            return self._execute(statement(name), parameters).to_arrow_table()

    def batches(self, name: str, /, size: int, **parameters: object) -> Iterator[pa.RecordBatch]:
        """Stream a result; other statements may run on this session meanwhile."""
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone='UTC'")
        for given, table in self._given.items():
            cursor.register(given, table)
        with self._explained():
            yield from cursor.execute(statement(name), parameters or None).to_arrow_reader(size)

    def text(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Run composed SQL: compiled policies and users' queries. Everything else has a file."""
        with self._explained():
            return self._execute(sql, dict(parameters or {})).to_arrow_table()

    @contextmanager
    def given(self, **tables: pa.Table) -> Iterator[None]:
        """Lend Arrow tables to the statements inside, under the keywords' names.

        Inside another block a name may stand for another table for a while.
        """
        for name, table in tables.items():
            self._connection.register(name, table)
        before, self._given = self._given, self._given | tables
        try:
            yield
        finally:
            self._given = before
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
    def limited(self, seconds: float) -> Iterator[None]:
        """Interrupt statements that run for longer than so many seconds."""
        timer = threading.Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def parallel(self) -> None:
        """Use two threads from now on: right for scans; bulk loads need half the CPU with one."""
        self._connection.execute("SET threads = 2")

    def checkpoint(self) -> None:
        with self._explained():
            self._connection.execute("CHECKPOINT")

    def _explained(self) -> AbstractContextManager[None]:
        return fullness_explained(self._path, self._limit)

    def _execute(self, sql: str, parameters: dict[str, object]) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, parameters or None)


class Warehouse:
    """The warehouse at `path`; made with its schema at the first session.

    `wait` is how many seconds a session waits while another process has the file; `memory_limit`
    a size such as 512MB, by default a share of what is there (`warehouse.memory`).
    """

    def __init__(
        self,
        path: Path,
        *,
        wait: float = 30.0,
        memory_limit: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self._wait = wait
        self._memory_limit = memory_limit
        self._sleep = sleep

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open for reading and writing; closed when the block ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            session = Session(connection, self.path)
            _migrate(session, connection, self.path)
            yield session
        finally:
            connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        end = time.monotonic() + self._wait
        while True:
            try:
                return connect(self.path, memory_limit=self._memory_limit)
            except WarehouseBusy:
                if time.monotonic() >= end:
                    raise
                self._sleep(0.2)


def connect(
    path: Path, *, read_only: bool = False, memory_limit: str | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with our settings. Raises WarehouseBusy, WarehouseTooNew or WarehouseBroken."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2 if read_only else 1,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    if not read_only:
        config["storage_compatibility_version"] = "v1.5.0"
    try:
        connection = duckdb.connect(path, read_only=read_only, config=config)
        connection.execute("SET TimeZone='UTC'")
        limit = parse_size(memory_limit) if memory_limit else default_limit(there(connection))
        connection.execute(f"SET memory_limit = '{limit} B'")
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text:
            raise WarehouseBusy(
                f"{path} is in use by another process; try again when it is done ({text})"
            ) from error
        if "newer version" in text or "version number" in text:
            raise WarehouseTooNew(
                f"{path} was written by a newer DuckDB; upgrade subregistry ({text})"
            ) from error
        raise WarehouseBroken(f"{path} cannot be opened: {text}") from error
    except duckdb.Error as error:
        raise WarehouseBroken(f"{path} cannot be opened: {error}") from error
    return connection


def _migrate(session: Session, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Bring the schema to the newest version, one transaction for all missing statements."""
    try:
        found = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    except duckdb.CatalogException:
        found = None
    except duckdb.Error as error:
        raise WarehouseBroken(f"{path} is not a warehouse of ours: {error}") from error
    have, want = (found[0] if found else None) or 0, len(schema())
    if have > want:
        raise WarehouseTooNew(
            f"{path} has schema version {have}, this subregistry knows {want}; upgrade it"
        )
    if have == want:
        return
    try:
        with session.transaction():
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
            for sql in schema()[have:]:
                connection.execute(sql)
            connection.execute("INSERT INTO schema_version VALUES (?)", [want])
    except duckdb.Error as error:
        raise WarehouseError(f"{path} could not be brought to schema {want}: {error}") from error
    log.info("schema migrated from=%s to=%s", have, want)
