"""The database file, its lock and its schema: open, use briefly, close.

DuckDB lets one process write or many read. So sessions are short, opening waits a limited time for
a busy file, and no HTTP happens inside a session. Other modules decide what is stored.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.database.memory import default_limit, total_memory
from warehouse.database.schema import migrate
from warehouse.database.session import Session
from warehouse.database.sizes import parse_size
from warehouse.errors import WarehouseBroken, WarehouseBusy, WarehouseTooNew

log = logging.getLogger(__name__)

GENERATION = 2
"""Increase it when parsing changes and entries must be read again: the next pull is a full walk."""


class Warehouse:
    """The warehouse at `path`, created with its schema at the first session.

    `wait` is how many seconds a session waits while another process has the file. `memory_limit` is
    a size such as 512MB; by default a share of the memory there is (`warehouse.database.memory`).
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

    def waiting(self, seconds: float) -> "Warehouse":
        """The same warehouse, but sessions wait so many seconds for another process."""
        return Warehouse(
            self.path, wait=seconds, memory_limit=self._memory_limit, sleep=self._sleep
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open for reading and writing; closed at the end of the block."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        session = Session(connection, self.path)
        try:
            migrate(session, connection, self.path)
            yield session
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
            raise damaged(self.path, error) from error
        finally:
            session.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        end = time.monotonic() + self._wait
        while True:
            try:
                return connect(self.path, memory_limit=self._memory_limit)
            except WarehouseBusy:
                if time.monotonic() >= end:
                    raise
                self._sleep(0.2)


def damaged(path: Path, error: duckdb.Error) -> WarehouseBroken:
    """What to do about a file that cannot be read: a copy of it is renewed by each run."""
    reason = str(error).split("\n", maxsplit=1)[0]
    copy = path.parent / "analytics" / "warehouse.duckdb"
    remedy = (
        f"and copy {copy} to its place: it is the warehouse after the last run, and what came "
        "since is pulled again"
        if copy.exists()
        else "and put a backup in its place; without one, history begins today"
    )
    return WarehouseBroken(
        f"{path} cannot be read ({reason}). Feeds are served on. If the file is damaged, move it "
        f"and {path.name}.wal away {remedy}. Then run subregistry run --full"
    )


def connect(
    path: Path, *, read_only: bool = False, memory_limit: str | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with our settings. Raises WarehouseBusy, WarehouseTooNew or WarehouseBroken."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2 if read_only else 1,
        # Without it large inserts need less memory; ORDER BY orders where it matters.
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    if not read_only:
        config["storage_compatibility_version"] = "v1.5.0"
    try:
        connection = duckdb.connect(path, read_only=read_only, config=config)
        connection.execute("SET TimeZone='UTC'")
        total = total_memory(connection)
        limit = parse_size(memory_limit) if memory_limit else default_limit(total)
        connection.execute(f"SET memory_limit = '{limit} B'")
    except duckdb.IOException as error:
        text = str(error)
        if "Could not set lock" in text:  # not the word alone: a damaged *block* is no lock
            raise WarehouseBusy(
                f"{path} is in use by another process; try again when it is done ({text})"
            ) from error
        if "newer version" in text or "version number" in text:
            raise WarehouseTooNew(
                f"{path} was written by a newer DuckDB; upgrade subregistry ({text})"
            ) from error
        raise damaged(path, error) from error
    except duckdb.Error as error:
        raise damaged(path, error) from error
    return connection
