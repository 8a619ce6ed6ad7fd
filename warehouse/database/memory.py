"""How much memory DuckDB may use, and clear errors when memory or disk runs out.

DuckDB itself finds out how much memory there is (of the machine, or of the container if that is
less) and would take 80 % of it. We take less, since a build needs memory beside it.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.database.sizes import format_size, parse_size
from warehouse.errors import WarehouseFull

SHARE, FLOOR, CAP = 0.2, 256_000_000, 2_000_000_000
"""The default limit: this share of the memory there is, but within these bytes."""
_DUCKDB_SHARE = 0.8


def limit_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The limit of a connection now, in bytes."""
    row = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    return parse_size(str(row[0]) if row else "")


def total_memory(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes of memory of the machine, or of the container if that is less.

    The connection then has DuckDB's default limit: set another one after it.
    """
    connection.execute("RESET memory_limit")
    # The default is 80 % of the memory that DuckDB sees: calculate back.
    return int(limit_of(connection) / _DUCKDB_SHARE)


def default_limit(memory: int) -> int:
    """The limit in bytes where none is set, for so much memory."""
    return int(min(max(memory * SHARE, FLOOR), CAP))


@contextmanager
def shortage_explained(path: Path, limit: int) -> Iterator[None]:
    """Turn DuckDB's error for full memory or disk into one that says what to do.

    `path` is the database file, `limit` its memory limit in bytes. Raises WarehouseFull.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        # DuckDB reports a full disk as lack of memory when it cannot spill.
        if "temp_directory" in reason or "offload" in reason:
            raise _disk_full(path, reason) from error
        with duckdb.connect(":memory:") as other:
            total = total_memory(other)
        raise WarehouseFull(
            f"DuckDB needs more than its {format_size(limit)} of memory for this ({reason}); the "
            f"machine or container has {format_size(total)}. Set "
            f"SUBREGISTRY_MEMORY_LIMIT to a larger size, such as {2 * limit // 1_000_000}MB, or "
            "give it more memory, and run the same command again"
        ) from error
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        if re.search("no space left|disk quota|file too large", reason, re.IGNORECASE):
            raise _disk_full(path, reason) from error
        raise


def _disk_full(path: Path, reason: str) -> WarehouseFull:
    free = shutil.disk_usage(path.parent).free
    size = path.stat().st_size if path.exists() else 0
    if "too large" in reason.lower():
        return WarehouseFull(
            f"a file in {path.parent} may not grow any more ({reason}): raise the limit on the "
            "size of files (ulimit -f), and run the same command again"
        )
    return WarehouseFull(
        f"the disk of {path.parent} is full ({reason}): {format_size(free)} are free, and the "
        f"warehouse has {format_size(size)}. Make room for at least three times as much and run "
        "the same command again"
    )
