"""Partitioning by hash of the server name, so that memory does not grow with the warehouse.

Statements read tables by their names. Within a part, temporary views with these names show only the
rows of its servers (DuckDB searches the temporary schema first). So the same SQL runs on a part and
on the whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from warehouse.database.session import Session

_SERVERS = 12_000
"""Servers of one part for each 256 MB of DuckDB's memory."""
_MEMORY = 256_000_000

FACT_INPUTS = (
    "curation/part_contents",
    "curation/part_packages",
    "curation/part_package_refs",
    "curation/part_package_facts",
    "curation/part_version_facts",
    "curation/part_package_checks",
    "curation/part_popularity",
    "curation/part_purl_advisories",
    "curation/part_advisory_checks",
)
"""Statements `part_TABLE` that copy one part of each table about the packages of entries."""

RULE_INPUTS = (
    "curation/part_contents",
    "curation/part_remotes",
    "curation/part_advisory_columns",
    "curation/part_package_columns",
    "curation/part_server_columns",
)
"""The same for the tables that rules read."""


@dataclass(frozen=True)
class Part:
    """The servers whose names hash to `number` modulo `count`."""

    number: int
    count: int

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters with which statements select the rows of a part."""
        return {"part": self.number, "parts": self.count}


def servers_at_once(session: Session) -> int:
    """How many servers DuckDB's memory is enough for."""
    return max(_SERVERS, _SERVERS * session.memory_limit // _MEMORY)


def parts(session: Session, servers: int | None = None) -> list[Part]:
    """All servers, in parts of about so many; by default as many as memory is enough for."""
    size = servers or servers_at_once(session)
    known = session.rows("curation/count_servers")[0]["servers"]
    # -(-a // b) rounds up.
    count = max(1, -(-known // size))
    return [Part(number, count) for number in range(count)]


@contextmanager
def showing(
    session: Session, part: Part, copies: Sequence[str], *, entries: bool
) -> Iterator[None]:
    """Let the statements inside see only one part of some tables: FACT_INPUTS or RULE_INPUTS.

    With `entries`, of the table `entries` too. A single part needs no views.
    """
    if part.count == 1:
        yield
        return
    with ExitStack() as stack:
        session.run("curation/part_entries", **part.parameters)
        stack.callback(session.text, "DROP TABLE temp.part_entries")
        # Copies before views: a copy must still read the whole table of that name.
        for statement in copies:
            session.run(statement)
            stack.callback(session.text, f"DROP TABLE temp.{statement.rpartition('/')[2]}")
        shown = [statement.rpartition("/part_")[2] for statement in copies]
        for table in [*shown, "entries"] if entries else shown:
            stack.enter_context(_shadowing(session, table, f"part_{table}"))
        yield


@contextmanager
def materialized(session: Session, view: str) -> Iterator[None]:
    """Compute a view once, for all statements inside."""
    session.text(f"CREATE TEMP TABLE all_{view} AS FROM {view}")
    try:
        with _shadowing(session, view, f"all_{view}"):
            yield
    finally:
        session.text(f"DROP TABLE temp.all_{view}")


@contextmanager
def staged(session: Session, *tables: str) -> Iterator[None]:
    """Create temporary tables `next_TABLE` with the columns of the given tables.

    Rows of each part are inserted there first, then all at once in one transaction: DuckDB keeps
    the rows of small inserts in memory until the transaction ends.
    """
    with ExitStack() as stack:
        for table in tables:
            session.text(f"CREATE TEMP TABLE next_{table} AS FROM {table} LIMIT 0")
            stack.callback(session.text, f"DROP TABLE temp.next_{table}")
        yield


@contextmanager
def _shadowing(session: Session, table: str, rows: str) -> Iterator[None]:
    session.text(f"CREATE TEMP VIEW {table} AS FROM {rows}")
    try:
        yield
    finally:
        session.text(f"DROP VIEW temp.{table}")
