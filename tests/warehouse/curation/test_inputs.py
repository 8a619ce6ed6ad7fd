"""Whatever curation reads is listed, beside what notices its changes."""

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from tests.warehouse.curation.twins import Twins
from warehouse.curation.inputs import INPUTS
from warehouse.database.session import Session, statement

_SETUP = ["publish"] * 3 + ["read_references", "learn", "warn", "count"]
_DERIVED = (
    *("served_packages", "package_columns", "advisory_columns", "standing_servers"),
    *("server_keys", "remote_hosts", "package_claimants", "clusters", "server_columns"),
)
_STATE = {"derived_upstreams"}


def columns_read(session: Session, query: str) -> dict[str, set[str]]:
    """The columns that DuckDB reads for a query, by table."""
    read: dict[str, set[str]] = defaultdict(set)
    known = {
        (row["table_name"], row["column_name"])
        for row in session.text("SELECT table_name, column_name FROM duckdb_columns()").to_pylist()
    }

    def walk(node: dict[str, Any]) -> None:
        facts = node.get("extra_info") or {}
        table = str(facts.get("Table", "")).rpartition(".")[2]
        for part in ("Projections", "Filters"):
            words = re.findall(r"\w+", str(facts.get(part, "")))
            read[table] |= {word for word in words if (table, word) in known}
        for child in node.get("children", ()):
            walk(child)

    for row in session.text(f"EXPLAIN (FORMAT json) {query}").to_pylist():
        for node in json.loads(row["explain_value"]):
            walk(node)
    read.pop("", None)
    return read


def test_every_input_is_listed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Twins(tmp_path_factory.mktemp("inputs"), 7) as twins:
        twins.play(_SETUP)
        twins.curate()
        session = twins.sessions[0]
        read: dict[str, set[str]] = defaultdict(set)
        queries = [f"SELECT * FROM {table}_now" for table in _DERIVED]
        queries.append(
            "SELECT * FROM policy_columns(now()) SEMI JOIN current_bindings USING (name, upstream)"
        )
        for query in queries:
            for table, names in columns_read(session, query).items():
                read[table] |= names
        # A fingerprint covers how a feed shows the entry, too.
        read["entries"] |= set(re.findall(r"\be\.(\w+)", statement("curation/stage_verdicts")))
    for table in (*_DERIVED, *_STATE):
        read.pop(table, None)
    assert dict(read) == {one.table: set(one.columns) for one in INPUTS}
    assert all(one.noticed for one in INPUTS)
