"""The analysts' copy: an immutable file behind a stable link, and read-only queries on it.

The live file allows no second process. After each run a copy gets a new name, and a rename repoints
the link `warehouse.duckdb`. A reader that is open keeps its old copy.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.database.memory import limit_of, shortage_explained
from warehouse.database.warehouse import Warehouse, connect
from warehouse.errors import QueryRefused, WarehouseBroken

LINK = "warehouse.duckdb"
_KEEP = 2


def publish_copy(warehouse: Warehouse, folder: Path, *, now: datetime) -> Path:
    """Copy the warehouse and repoint the link; keep only one older copy."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"warehouse-{now:%Y%m%dT%H%M%S%f}.duckdb"
    # A crash leaves a .part file, never a half-written copy under its final name.
    part = copy.with_suffix(".part")
    with warehouse.session() as session:
        session.checkpoint()
        shutil.copyfile(warehouse.path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(copy)
    # Replace, not rewrite: readers see the old link or the new one, never none.
    link = folder / f"{LINK}.new"
    link.unlink(missing_ok=True)
    link.symlink_to(copy.name)
    link.replace(folder / LINK)
    partial = list(folder.glob("warehouse-*.part"))
    for path in [*sorted(folder.glob("warehouse-*.duckdb"))[:-_KEEP], *partial]:
        path.unlink()
    return copy


def query(folder: Path, sql: str, *, memory_limit: str | None = None) -> pa.Table:
    """Run one statement of a user on the newest copy: no writes, no other files, no network.

    Raises QueryRefused with DuckDB's reason, WarehouseFull if the query needs more memory or disk
    than there is, WarehouseBroken before the first run.
    """
    copy = folder / LINK
    if not copy.exists():
        raise WarehouseBroken(f"there is no copy at {copy} yet; run subregistry run first")
    connection = connect(copy.resolve(), read_only=True, memory_limit=memory_limit)
    try:
        connection.execute("SET enable_external_access = false")
        # Locked, so that the statement itself cannot switch external access on again.
        connection.execute("SET lock_configuration = true")
        if len(connection.extract_statements(sql)) != 1:
            raise QueryRefused("write one SQL statement")
        with shortage_explained(copy, limit_of(connection)):
            return connection.execute(sql).to_arrow_table()
    except duckdb.Error as error:
        raise QueryRefused(str(error)) from error
    finally:
        connection.close()
