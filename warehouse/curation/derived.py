"""Columns that rules need, derived per server from its packages and from other servers.

Every derived table is computed by statements that read their inputs through a scope of servers. An
incremental derivation has those in its scope that may have changed, a whole one has all: so both
come to the same, as long as every change of an input is noticed. Where changes are noticed is
listed in `warehouse.curation.inputs`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

import duckdb

from warehouse.curation.parts import (
    FACT_INPUTS,
    Part,
    compare,
    copied,
    materialized,
    parts,
    replace,
    scope_size,
    scoped,
    showing,
    staged,
    temporary,
)
from warehouse.database.schema import fingerprint, views
from warehouse.database.session import Row, Session

_TABLES = (
    "served_packages",
    "package_columns",
    "standing_servers",
    "server_keys",
    "remote_hosts",
)
"""Tables that are computed from one server each, in the order in which they need each other."""
_KEYS = {
    "served_packages": "name",
    "package_columns": "name",
    "standing_servers": "name",
    "server_keys": "name, kind, key",
    "remote_hosts": "name, host",
    "package_claimants": "origin, package, name",
    "advisory_columns": "server_hash",
    "clusters": "kind, key, name",
    "server_columns": "name",
}
"""All derived tables, and the columns that their rows are compared by."""
_REVIEW_EVERY = timedelta(hours=20)
_CLAIMS = ("curation/part_packages", "curation/part_package_refs")
_COUNTS = ("curation/part_package_claims",)
_GROUPS = (
    "curation/part_standing_servers",
    "curation/part_remote_hosts",
    "curation/part_clusters",
)
_TEMPORARY = (
    "next_package_claimants",
    "next_server_columns",
    "all_package_claimants",
    "scope_contents",
    "changed_births",
    "regrouped",
    "judged_again",
)


@dataclass(frozen=True)
class Derivation:
    """The `number` of the last derivation that changed something, and of the last whole one.

    `drift` counts servers that this one, a whole one, found other than the incremental ones had
    left them: it should be 0. None: nothing was compared.
    """

    number: int
    reviewed: int
    drift: int | None = None


def derive(
    session: Session,
    *,
    now: datetime,
    servers: int | None = None,
    done: Callable[[int, int], None] = lambda *_: None,
) -> Derivation:
    """Bring all derived columns up to date; without a change, write nothing.

    Looks at the servers that changed since the last derivation; at all of them for the first time,
    with another version of the software, and after each full walk (once a day if every pull is
    one). `done` is called with the number of finished parts and of all parts.
    """
    before = next(iter(session.rows("curation/read_derivation")), None)
    upstreams = session.rows("curation/list_derived_upstreams")
    number, reviewed, reviewed_at = 0, 0, now
    if before:
        number, reviewed, reviewed_at = (
            before[name] for name in ("number", "reviewed", "reviewed_at")
        )

    def whole(*, review: bool) -> Derivation:
        state = _state(number + 1, now, reviewed=number + 1, reviewed_at=now)
        with scoped(session, "curation/select_everything"):
            drift = _derive(session, state, servers, everything=True, review=review, done=done)
        return Derivation(number + 1, number + 1, drift if review else None)

    if before is None or before["software"] != _software() or any(map(_began_anew, upstreams)):
        return whole(review=False)
    with scoped(session, "curation/select_changed_servers", bound_at=before["bound_at"]):
        if scope_size(session):
            number += 1
            state = _state(number, now, reviewed=reviewed, reviewed_at=reviewed_at)
            _derive(session, state, servers, everything=False, review=False, done=done)
    rested = now - reviewed_at >= _REVIEW_EVERY
    if any(row["is_walked"] and (rested or row["is_walked_seldom"]) for row in upstreams):
        return whole(review=True)
    return Derivation(number, reviewed)


def _state(number: int, now: datetime, *, reviewed: int, reviewed_at: datetime) -> Row:
    """What the table `derivation` says after a derivation."""
    return {
        "number": number,
        "now": now,
        "software": _software(),
        "reviewed": reviewed,
        "reviewed_at": reviewed_at,
    }


def _began_anew(upstream: Row) -> bool:
    """Whether the first pull of a known upstream is another than it was: a rule may read it."""
    return bool(upstream["known"]) and upstream["bootstrap"] != upstream["bootstrap_before"]


def _software() -> str:
    """What derived columns depend on besides data; DuckDB's hashes may change with its version."""
    views_hash = fingerprint(views(), comments=False)
    return f"{version('subregistry')} duckdb {duckdb.__version__} views {views_hash}"


def _derive(
    session: Session,
    state: Row,
    servers: int | None,
    *,
    everything: bool,
    review: bool,
    done: Callable[[int, int], None],
) -> int:
    """Derive for the servers in `scope`; return how many are to be judged again.

    In a `review` of everything those are the servers that were not as they should be. Without it,
    feeds judge all servers after a derivation of everything.
    """
    with (
        temporary(session, *_TEMPORARY, *(f"changed_{table}" for table in _KEYS)),
        staged(session, *_TABLES, "advisory_columns", "clusters"),
    ):
        _widen(session, everything=everything)
        all_parts = parts(session, servers, everything=everything)
        with copied(session, _COUNTS):
            for finished, part in enumerate(all_parts, start=1):
                with showing(session, part, FACT_INPUTS), ExitStack() as stack:
                    stack.enter_context(materialized(session, "entry_packages"))
                    for table in _TABLES:
                        stack.enter_context(materialized(session, table, f"{table}_now"))
                        session.text(f"INSERT INTO next_{table} FROM part_{table}")
                    session.run("curation/stage_advisory_columns")
                done(finished, len(all_parts))
        with session.transaction():
            _replace(session, everything=everything)
            judged = 0
            if review or not everything:
                session.run("curation/select_drifted" if review else "curation/select_judged_again")
                judged = session.run("curation/insert_rederived", number=state["number"])
            replace(session, "server_columns", _KEYS["server_columns"])
            session.run("curation/delete_derivation")
            session.run("curation/insert_derivation", **state)
            session.run("curation/delete_derived_upstreams")
            session.run("curation/insert_derived_upstreams")
            session.run("curation/delete_touched")
            session.run(
                "curation/forget_derivations",
                number=state["number"],
                everything=everything and not review,
            )
    return judged


def _widen(session: Session, *, everything: bool) -> None:
    """Add to the scope whoever claims a package whose claimants changed.

    Creates `all_package_claimants`: all claimants of the packages of the scope.
    """

    def select() -> None:
        part = Part(0, 1, everything)
        with showing(session, part, _CLAIMS):
            session.run("curation/select_claimants")

    select()
    compare(session, "package_claimants", _KEYS["package_claimants"])
    if not everything and session.run("curation/add_claimants"):
        session.text("DROP TABLE temp.next_package_claimants")
        select()
    session.run("curation/select_all_claimants")


def _replace(session: Session, *, everything: bool) -> None:
    """Write what differs, in the order in which it depends on each other.

    Groups of servers are looked at if one of their members changed; all of them with `everything`.
    Creates `next_server_columns` and what differs of it.
    """
    session.run("curation/select_scope_contents")
    compare(
        session, "advisory_columns", "server_hash", scope="scope_contents", within="server_hash"
    )
    for table in _TABLES:
        compare(session, table, _KEYS[table])
    session.run("curation/select_changed_births")
    for table in (*_TABLES, "package_claimants", "advisory_columns"):
        replace(session, table, _KEYS[table])
    with copied(session, () if everything else ("curation/part_server_keys",)):
        session.text("INSERT INTO next_clusters FROM clusters_now")
    keys = "clusters" if everything else "changed_server_keys"
    compare(session, "clusters", _KEYS["clusters"], scope=keys, within="kind, key")
    replace(session, "clusters", _KEYS["clusters"])
    session.run("curation/select_standing" if everything else "curation/select_regrouped")
    with copied(session, () if everything else _GROUPS):
        session.run("curation/select_server_columns")
    names = "server_columns" if everything else "regrouped"
    compare(session, "server_columns", _KEYS["server_columns"], scope=names)
