"""Which upstream owns a name. A walk binds the names it brings (`warehouse.walk.merge`)."""

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
    """Take names, or all names of upstream `of`, from the upstream that owns them.

    Each goes to the first of `precedence` (never `of`) that has it, else to the first that brings
    it. Returns name and upstream (None for nobody) of each; empty if nobody owned any of them.
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
        # No upstream is named "", so only the names count.
        for row in session.rows("walk/list_bindings", names=released, of="")
    }
    return [{"name": name, "upstream": after.get(name)} for name in released]
