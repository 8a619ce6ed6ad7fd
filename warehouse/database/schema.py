"""The schema of the warehouse. Tables are a baseline, views and macros are code.

Until a version is released, the baseline may be edited. Its version is a hash of it. A file of any
other shape is refused, except the shapes that landed last, which are upgraded in place. Each view
and macro has a file; all are rebuilt when one of them changes. A comment at the head of a
relation's text becomes its comment in the warehouse.
"""

import graphlib
import hashlib
import logging
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path

import duckdb

from warehouse.database.session import Session
from warehouse.errors import WarehouseBroken, WarehouseError, WarehouseTooNew

log = logging.getLogger(__name__)

_RENAMED = (
    "ALTER TABLE verdicts RENAME COLUMN print TO fingerprint",
    "ALTER TABLE served_packages RENAME COLUMN print TO fingerprint",
    "ALTER TABLE package_checks RENAME COLUMN owed TO deferred",
    "ALTER TABLE version_facts RENAME COLUMN settled TO complete",
    "ALTER TABLE hosts RENAME COLUMN share TO load_factor",
    "ALTER TABLE served RENAME TO published_entries",
    # Absences that came of comparing versions as text are asked for again.
    "UPDATE package_checks SET due_at = checked_at WHERE origin = 'pypi' AND len(missing) > 0",
    # User names and passwords in the URLs of upstreams.
    "UPDATE state SET url = regexp_replace(url, '^([a-z]+://)[^/@]*@', '\\1')",
    "DROP TABLE IF EXISTS schema_version",
)
_ADDED = (
    "ALTER TABLE walks RENAME TO walks_before",
    "CREATE TABLE walks",
    "INSERT INTO walks SELECT *, true FROM walks_before",
    "DROP TABLE walks_before",
    "CREATE TABLE accounts",
    "CREATE TABLE audit_heads",
    # Derived at each curation.
    "DROP TABLE package_columns",
    "CREATE TABLE package_columns",
)
_INCREMENTAL = (
    "ALTER TABLE verdicts ADD COLUMN seen_fingerprint UBIGINT",
    *(
        f"CREATE TABLE {table}"
        for table in (
            *("package_claimants", "standing_servers", "server_keys", "remote_hosts"),
            *("derivation", "derived_upstreams", "rederived", "touched", "curations"),
        )
    ),
)
_UPGRADES = (
    # The numbered schema, and the first baseline, which had the same tables.
    (("number 90", "4af1f78265242fddd182b353ab90e3d77eeda2c8b5296824e4abd6501180dd2b"), _RENAMED),
    (("20b86ceeda310dcf660a86cb8338eef5753ca1605e2dbb874c59820b2d3989cc",), _ADDED),
    (("f77c8bb117543e6165598ae7b40dee0858d8661224f8f96ff846a05c1343b802",), _INCREMENTAL),
)
"""The shapes that landed, oldest first, and the statements that make the next one of each. A table
without columns is created as the baseline does."""
_STATE = "CREATE TABLE schema_state (tables VARCHAR NOT NULL, views VARCHAR NOT NULL)"
# Groups: 1 head comment, 2 kind, 3 name, 4 parameters of a table macro.
_RELATION = re.compile(
    r"((?:^--[^\n]*\n)*)CREATE (?:OR REPLACE )?(TABLE|VIEW|MACRO) (\w+)(\([^)]*\) AS TABLE)?",
    re.MULTILINE,
)


@cache
def tables() -> tuple[str, ...]:
    """The statements that create the tables, in order; an empty line separates them."""
    folder = files("warehouse") / "sql" / "schema" / "tables"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    texts = ((folder / name).read_text("utf-8") for name in names)
    return tuple(part.strip() for text in texts for part in text.split(";\n\n"))


@cache
def views() -> tuple[str, ...]:
    """The statements that create views and macros, each after those that it names."""
    folder = files("warehouse") / "sql" / "schema" / "views"
    texts = {
        item.name.removesuffix(".sql"): item.read_text("utf-8").strip()
        for item in folder.iterdir()
        if item.name.endswith(".sql")
    }
    needs = {
        # Every word counts, comments included: naming a relation in a comment adds a dependency.
        # Sorted, because the order of the statements is part of their fingerprint.
        name: sorted(set(re.findall(r"\w+", text)) & texts.keys() - {name})
        for name, text in sorted(texts.items())
    }
    return tuple(texts[name] for name in graphlib.TopologicalSorter(needs).static_order())


def relations() -> tuple[tuple[str, str, str], ...]:
    """Every relation: name (with its parameters for a macro), kind, and comment."""
    matches = (_RELATION.match(text) for text in (*tables(), *views()))
    return tuple(
        (match[3], match[2].lower(), _comment_of(match)) for match in matches if match is not None
    )


def _comment_of(relation: re.Match[str]) -> str:
    """The comment at the head of a relation's text, as one line."""
    return " ".join(line.removeprefix("--").strip() for line in relation[1].splitlines())


def fingerprint(texts: tuple[str, ...], *, comments: bool) -> str:
    """A hash of statements, with or without their comments."""
    lines = [line for text in texts for line in text.splitlines()]
    kept = [line for line in lines if comments or not line.lstrip().startswith("--")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def _shape() -> str:
    return fingerprint(tables(), comments=False)


def migrate(session: Session, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create the schema, or bring its views up to date, in one transaction.

    Raises WarehouseTooNew for tables of another shape, WarehouseBroken for a file that is not a
    warehouse of ours.
    """
    # Comments do not change the shape, but a changed comment must be stored again.
    wanted = _shape(), fingerprint((*views(), *tables()), comments=True)
    stored = _stored(connection, path)
    if stored == wanted:
        return
    try:
        with session.transaction():
            if stored is None:
                _run(connection, tables())
                connection.execute(_STATE)
            elif any(stored[0] in shapes for shapes, _ in _UPGRADES):
                _hand_over(connection, path, stored[0])
            elif stored[0] != wanted[0]:
                raise _other_shape(path, stored[0][:12])
            _make_views(connection)
            _comment(connection, tables())
            connection.execute("DELETE FROM schema_state")
            connection.execute("INSERT INTO schema_state VALUES (?, ?)", wanted)
    except duckdb.Error as error:
        raise WarehouseError(f"{path} could not be brought to this schema: {error}") from error
    log.info("schema made from=%s to=%s", stored, wanted)


def _stored(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, str] | None:
    """The fingerprints of the tables and views in a file; None in an empty file.

    For a numbered schema, the first is `number N`.
    """
    try:
        names = {
            row[0]
            for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
        if "schema_state" in names:
            row = connection.execute("SELECT tables, views FROM schema_state").fetchone()
            return (row[0], row[1]) if row else ("unknown", "")
        if "schema_version" in names:
            row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
            return (f"number {row[0]}" if row else "unknown", "")
    except duckdb.Error as error:
        raise WarehouseBroken(f"{path} is not a warehouse of ours: {error}") from error
    if names:
        raise WarehouseBroken(f"{path} is not a warehouse of ours: it has tables of its own")
    return None


def _other_shape(path: Path, shape: str) -> WarehouseTooNew:
    return WarehouseTooNew(
        f"{path} was made by another version of subregistry (its tables are of schema {shape}, "
        f"this one has {_shape()[:12]}). Use the version that made it, or set "
        "SUBREGISTRY_HOME to an empty folder and run subregistry run: a new history begins there"
    )


def _hand_over(connection: duckdb.DuckDBPyConnection, path: Path, shape: str) -> None:
    """Upgrade a warehouse of a shape that landed; no row is lost."""
    with duckdb.connect(":memory:") as fresh:
        _run(fresh, tables())
        wanted = _columns(fresh)
    steps = [statements for _, statements in _UPGRADES]
    first = next(index for index, (shapes, _) in enumerate(_UPGRADES) if shape in shapes)
    baseline = {match[3]: text for text in tables() if (match := _RELATION.match(text))}
    try:
        for kind, name in _standing(connection):  # they refer to columns
            connection.execute(f"DROP {kind} {name}")
        for statement in chain.from_iterable(steps[first:]):
            table = statement.removeprefix("CREATE TABLE ")
            connection.execute(baseline.get(table, statement))
    except duckdb.Error as error:
        raise _other_shape(path, f"{shape[:12]}, altered") from error
    # The tables may have been altered by hand: compare with a fresh schema.
    if _columns(connection) != wanted:
        raise _other_shape(path, f"{shape[:12]}, altered")
    connection.execute(_STATE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Table, column, type and nullability of all tables except those of the schema itself."""
    return connection.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() AND schema_name = 'main' "
        "AND table_oid IN (SELECT table_oid FROM duckdb_tables()) "
        "AND NOT starts_with(table_name, 'schema_') ORDER BY table_name, column_index"
    ).fetchall()


def _make_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create all views and macros again; drop those that no longer exist."""
    for kind, name in _standing(connection):
        connection.execute(f"DROP {kind} {name}")
    _run(connection, views())
    _comment(connection, views())


def _standing(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    for (name,) in connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    ).fetchall():
        yield "VIEW", name
    for name, kind in connection.execute(
        "SELECT DISTINCT function_name, function_type FROM duckdb_functions() "
        "WHERE NOT internal AND function_type IN ('macro', 'table_macro')"
    ).fetchall():
        yield "MACRO TABLE" if kind == "table_macro" else "MACRO", name


def _run(connection: duckdb.DuckDBPyConnection, texts: tuple[str, ...]) -> None:
    for text in texts:
        connection.execute(text)


def _comment(connection: duckdb.DuckDBPyConnection, texts: tuple[str, ...]) -> None:
    """Set each relation's comment from the head of its text."""
    for text in texts:
        relation = _RELATION.match(text)
        assert relation is not None, text
        kind = "MACRO TABLE" if relation[4] else relation[2]
        # COMMENT ON takes no parameters.
        quoted = _comment_of(relation).replace("'", "''")
        connection.execute(f"COMMENT ON {kind} {relation[3]} IS '{quoted}'")
