"""The rows of a walk on their way in."""

from pathlib import Path

import pyarrow as pa
import pytest

from warehouse.database.warehouse import Warehouse
from warehouse.walk import staging


@pytest.mark.parametrize(
    ("schema", "table"),
    [
        (staging.READING, "incoming"),
        (staging.UNREADABLE, "incoming_unreadable"),
        (staging.BODY, "bodies"),
        (staging.CONTENT, "contents"),
        (staging.PACKAGE, "packages"),
        (staging.REMOTE, "remotes"),
    ],
)
def test_a_batch_has_the_columns_of_its_table_in_their_order(
    tmp_path: Path, schema: pa.Schema, table: str
) -> None:
    with Warehouse(tmp_path / "w.duckdb").session() as session:
        session.run("walk/create_incoming")
        session.run("walk/create_incoming_unreadable")
        columns = session.text(f"FROM {table} LIMIT 0").schema.names
    assert [name for name in columns if name in schema.names] == schema.names
