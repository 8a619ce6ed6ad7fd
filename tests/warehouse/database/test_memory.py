"""How much memory DuckDB may use, and the error when memory or disk is not enough."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse.database.memory import default_limit, total_memory
from warehouse.database.sizes import format_size, parse_size
from warehouse.database.warehouse import Warehouse
from warehouse.errors import WarehouseFull


def test_the_limit_follows_the_memory_there_is_between_a_floor_and_a_cap() -> None:
    assert default_limit(1_000_000_000) == 256_000_000
    assert default_limit(4_000_000_000) == 800_000_000
    assert default_limit(64_000_000_000) == 2_000_000_000


def test_the_memory_there_is_is_that_of_the_machine_or_less() -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET memory_limit = '300MB'")
        assert 0 < total_memory(connection) <= machine * 1.01
        assert total_memory(connection) > 400_000_000  # not taken from the limit that was set


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512_000_000), (" 1.5 GiB ", 3 << 29), ("2gb", 2_000_000_000)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "25%", "0MB", "-1GB", "many"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 512MB or 2GB"):
        parse_size(text)


def test_sizes_are_shown_in_one_unit() -> None:
    assert [format_size(900_000), format_size(1_234_000_000)] == ["1 MB", "1.2 GB"]


def test_a_limit_that_is_set_is_in_force_and_without_one_the_default(tmp_path: Path) -> None:
    for limit, least in (("300MB", 299_000_000), (None, 255_000_000)):
        with Warehouse(tmp_path / "w.duckdb", memory_limit=limit).session() as session:
            assert least < session.memory_limit <= 2_001_000_000


def test_too_little_memory_says_what_was_wanted_what_there_is_and_what_to_do(
    tmp_path: Path,
) -> None:
    with Warehouse(tmp_path / "w.duckdb", memory_limit="32MB").session() as session:
        session.text("SET temp_directory = ''")
        with pytest.raises(WarehouseFull) as caught, session.transaction():
            session.text("SELECT list(range || 'long enough to fill it') FROM range(3000000)")
        assert session.rows("curation/count_verdicts", feed="f") == []
    message = str(caught.value)
    assert "more than its 32 MB" in message
    assert "the machine or container has" in message
    assert "Set SUBREGISTRY_MEMORY_LIMIT to a larger size" in message


# A limit on the size of files stands in for a full disk.
_WRITER = """
import resource, sys
from pathlib import Path
from warehouse.errors import WarehouseFull
from warehouse.database.warehouse import Warehouse
path = Path(sys.argv[1])
with Warehouse(path).session() as session:
    session.text("CREATE TABLE kept AS SELECT 1 AS one")
resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, resource.RLIM_INFINITY))
try:
    made = "SELECT uuid() AS a, uuid() AS b FROM range(" + sys.argv[2] + ")"
    with Warehouse(path).session() as session, session.transaction():
        session.text("CREATE TABLE much AS " + made)
except WarehouseFull as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with Warehouse(path).session() as session:
    print(session.text("FROM kept").to_pylist())
"""


@pytest.mark.parametrize("rows", [200_000, 2_000_000], ids=["at the commit", "before"])
def test_a_full_disk_says_so_and_nothing_is_lost(tmp_path: Path, rows: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(tmp_path / "w.duckdb"), str(rows)],
        capture_output=True,
        text=True,
        check=True,
    )
    message, kept = done.stdout.splitlines()
    assert f"a file in {tmp_path} may not grow any more" in message
    assert "run the same command again" in message
    assert kept == "[{'one': 1}]"
