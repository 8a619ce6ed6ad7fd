"""Which upstream a name belongs to. A walk binds the names it brings (`warehouse.walk.merge`)."""

from collections.abc import Sequence
from datetime import datetime

from warehouse.database.session import Row, Session
from warehouse.walk.state import next_commit


def release_names(
    session: Session,
    names: Sequence[str],
    *,
    of: str | None,
    precedence: Sequence[str],
    now: datetime,
) -> list[Row]:
    """Take names, or all names of upstream `of`, from the upstream they belong to.

    Each goes to the first of `precedence` (never `of`) that has it, else to the first that brings
    it. Returns name and upstream (None for nobody) of each; empty if none belonged to anybody.
    """
    before = session.rows("walk/list_bindings", names=list(names), of=of)
    now, _ = next_commit(session, None, now)
    with session.transaction():
        session.run(
            "walk/release_names", names=list(names), of=of, precedence=list(precedence), now=now
        )
    released = [row["name"] for row in before]
    after = {
        row["name"]: row["upstream"]
        for row in session.rows("walk/list_bindings", names=released, of="")
    }
    return [{"name": n, "upstream": after.get(n)} for n in released]
