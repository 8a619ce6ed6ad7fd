"""What packages and other servers have to do with each entry, before rules look at it."""

from collections.abc import Callable, Sequence

from warehouse.curation.parts import FACT_INPUTS, Part, materialized, showing, staged
from warehouse.database.session import Session


def derive(session: Session, all_parts: Sequence[Part], done: Callable[[int], None]) -> None:
    """Work out what packages and other servers have to do with each entry, in one transaction.

    What packages have to do with it goes in parts; the rest is narrow.
    """
    with staged(session, "served_packages", "package_columns", "advisory_columns"):
        with materialized(session, "package_claims"):  # a part does not know those of others
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
