"""Arrow tables as input of set-based statements; nothing is inserted row by row."""

from collections.abc import Sequence

import pyarrow as pa

TEXT = pa.string()
FLAG = pa.bool_()
COUNT = pa.int64()
INSTANT = pa.timestamp("us", tz="UTC")


def columns(**fields: pa.DataType) -> pa.Schema:
    return pa.schema(fields)


Tuple = tuple[object, ...]


def table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table of the given schema; raises pyarrow's errors for other types."""
    # Transpose: Arrow takes columns.
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [
        pa.array(column, type=item.type) for column, item in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
