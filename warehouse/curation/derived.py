"""Columns that rules need, derived per entry from its packages and from other servers."""

from collections.abc import Callable, Sequence

from warehouse.curation.parts import FACT_INPUTS, Part, materialized, showing, staged
from warehouse.database.session import Session


def derive(session: Session, all_parts: Sequence[Part], done: Callable[[int], None]) -> None:
    """Compute what packages and other servers mean for each entry; replace it in one transaction.

    Package columns need much memory, so they are computed in parts; the rest is small. `done` is
    called with the number of each finished part.
    """
    with staged(session, "served_packages", "package_columns", "advisory_columns"):
        with materialized(session, "package_claims"):  # counts servers of all parts
            for number, part in enumerate(all_parts, start=1):
                with showing(session, part, FACT_INPUTS, entries=True):
                    with materialized(session, "entry_packages"):
                        session.run("curation/stage_served_packages")
                        session.run("curation/stage_package_columns")
                    session.run("curation/stage_advisory_columns")
                done(number)
        with materialized(session, "standing_servers"), session.transaction():
            for statement in (
                "curation/delete_served_packages",
                "curation/insert_served_packages",
                "curation/delete_package_columns",
                "curation/insert_package_columns",
                "curation/delete_advisory_columns",
                "curation/insert_advisory_columns",
                "curation/delete_clusters",
                "curation/insert_clusters",
                "curation/delete_server_columns",
                "curation/insert_server_columns",
            ):
                session.run(statement)
