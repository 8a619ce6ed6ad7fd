"""A scope: the servers that a statement looks at, cut into parts, so that memory stays bounded.

Statements read tables by their names. Within a part, temporary views with these names show only the
rows of its servers (DuckDB searches the temporary schema first). So the same SQL runs on
everything, on a part of it, and on the few servers that changed.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from warehouse.database.session import Session, statement

_SERVERS = 12_000
"""Servers of one part for each 256 MB of DuckDB's memory."""
_MEMORY = 256_000_000

FACT_INPUTS = (
    "curation/part_bindings",
    "curation/part_contents",
    "curation/part_packages",
    "curation/part_remotes",
    "curation/part_package_refs",
    "curation/part_package_facts",
    "curation/part_version_facts",
    "curation/part_package_checks",
    "curation/part_popularity",
    "curation/part_purl_advisories",
    "curation/part_advisory_checks",
)
"""Statements `part_TABLE` that copy one part of each table, besides `entries`, that derived columns
are computed from."""

RULE_INPUTS = (
    "curation/part_bindings",
    "curation/part_contents",
    "curation/part_remotes",
    "curation/part_advisory_columns",
    "curation/part_package_columns",
    "curation/part_served_packages",
    "curation/part_server_columns",
)
"""The same for the tables that rules read."""


_COMPARED = {"package_columns": "* EXCLUDE (asked_at)"}
"""What rows are compared by: when was asked last says nothing new."""


@dataclass(frozen=True)
class Part:
    """The servers of a scope whose names hash to `number` modulo `count`.

    `everything`: the scope has all servers, so a single part needs no copies.
    """

    number: int
    count: int
    everything: bool

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters with which statements select the rows of a part."""
        return {"part": self.number, "parts": self.count}


def servers_at_once(session: Session) -> int:
    """How many servers DuckDB's memory is enough for."""
    return max(_SERVERS, _SERVERS * session.memory_limit // _MEMORY)


@contextmanager
def scoped(session: Session, name: str, /, **parameters: object) -> Iterator[None]:
    """Create the temporary table `scope` (column: name) by a statement; drop it at the end."""
    with temporary(session, "scope"):
        session.run(name, **parameters)
        yield


def scope_size(session: Session) -> int:
    """How many servers are in the scope."""
    return int(session.rows("curation/count_scope")[0]["servers"])


def parts(session: Session, servers: int | None = None, *, everything: bool = False) -> list[Part]:
    """The scope in parts of about so many servers; by default as many as memory is enough for."""
    size = servers or servers_at_once(session)
    # -(-a // b) rounds up.
    count = max(1, -(-scope_size(session) // size))
    return [Part(number, count, everything) for number in range(count)]


@contextmanager
def showing(session: Session, part: Part, copies: Sequence[str]) -> Iterator[None]:
    """Let the statements inside see only one part of `entries` and of some other tables."""
    if part.everything and part.count == 1:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(temporary(session, "part_entries"))
        session.run("curation/part_entries", **part.parameters)
        stack.enter_context(copied(session, copies))
        stack.enter_context(shadowing(session, "entries"))
        yield


@contextmanager
def copied(session: Session, copies: Sequence[str]) -> Iterator[None]:
    """Let the statements inside read the copies that statements `part_TABLE` make of tables."""
    tables = [name.rpartition("/part_")[2] for name in copies]
    with temporary(session, *(f"part_{table}" for table in tables)), ExitStack() as stack:
        # Copies before views: a copy must still read the whole table of that name.
        for name in copies:
            session.run(name)
        for table in tables:
            stack.enter_context(shadowing(session, table))
        yield


@contextmanager
def temporary(session: Session, *tables: str) -> Iterator[None]:
    """Drop some temporary tables at the end, as far as they were created."""
    try:
        yield
    finally:
        for table in tables:
            session.text(f"DROP TABLE IF EXISTS temp.{table}")


@contextmanager
def staged(session: Session, *tables: str) -> Iterator[None]:
    """Create temporary tables `next_TABLE` with the columns of the given tables.

    Rows of each part are inserted there first, then all at once in one transaction: DuckDB keeps
    the rows of small inserts in memory until the transaction ends.
    """
    with temporary(session, *(f"next_{table}" for table in tables)):
        for table in tables:
            session.text(f"CREATE TEMP TABLE next_{table} AS FROM {table} LIMIT 0")
        yield


@contextmanager
def materialized(session: Session, relation: str, source: str | None = None) -> Iterator[None]:
    """Compute a view once, or what should be in a table from the view `source`; statements inside
    read the result instead."""
    with temporary(session, f"part_{relation}"):
        session.text(f"CREATE TEMP TABLE part_{relation} AS FROM {source or relation}")
        with shadowing(session, relation):
            yield


@contextmanager
def shadowing(session: Session, table: str) -> Iterator[None]:
    """Let the statements inside read `part_TABLE` wherever they name a table."""
    session.text(f"CREATE TEMP VIEW {table} AS FROM part_{table}")
    try:
        yield
    finally:
        session.text(f"DROP VIEW temp.{table}")


def compare(
    session: Session, table: str, keys: str, *, scope: str = "scope", within: str = "name"
) -> None:
    """Create `changed_TABLE`: the keys of rows that differ between a table and `next_TABLE`.

    `keys` are the columns that rows are compared by. Only rows of the table whose columns `within`
    are in `scope` are looked at.
    """
    names = {"table": table, "keys": keys, "scope": scope, "within": within}
    names["columns"] = _COMPARED.get(table, "*")
    session.text(statement("curation/select_differing").format(**names))


def replace(session: Session, table: str, keys: str) -> None:
    """Take the rows of `changed_TABLE` from `next_TABLE`; nothing else is written."""
    for name in ("curation/delete_differing", "curation/insert_differing"):
        session.text(statement(name).format(table=table, keys=keys))
