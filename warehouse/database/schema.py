"""The schema of the warehouse, and bringing an older file up to it."""

import logging
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb

from warehouse.database.session import Session
from warehouse.errors import WarehouseBroken, WarehouseError, WarehouseTooNew

log = logging.getLogger(__name__)


@cache
def schema() -> tuple[str, ...]:
    """The statements that make the schema, in order; their count is its version."""
    folder = files("warehouse") / "sql" / "schema"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return tuple((folder / name).read_text("utf-8") for name in names)


def migrate(session: Session, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
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
