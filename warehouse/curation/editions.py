"""Records of what was built and published of a feed: treatments, editions, shown entries."""

from collections.abc import Callable, Iterable, Sequence

from warehouse.database.arrow import TEXT, Tuple, columns, table
from warehouse.database.session import Session

_TREATMENT = columns(feed=TEXT, name=TEXT, version=TEXT, kind=TEXT, rule=TEXT, detail=TEXT)
_SERVED = columns(feed=TEXT, name=TEXT, version=TEXT, edition=TEXT)


def replace_treatments(session: Session, feed: str, rows: Sequence[Tuple]) -> None:
    """Store what the last build of a feed repaired and withheld for the wanted servers."""
    with session.transaction(), session.registering(batch_treatments=table(rows, _TREATMENT)):
        session.run("curation/delete_treatments", feed=feed)
        session.run("curation/insert_treatments")


def record_edition(
    session: Session,
    shown: Callable[[bool], Iterable[tuple[str, str]]],
    *,
    previous: str | None,
    **values: object,
) -> None:
    """Record an edition that went live; recording it again changes nothing.

    `shown` returns (name, version) of the entries that came or changed with the edition, or of all
    if its argument is true. All are recorded if the predecessor is not on record.
    """
    feed, edition = values["feed"], values["edition"]
    # Recording is repeated after a crash, so it must be idempotent.
    if session.rows("curation/read_edition", feed=feed, edition=edition):
        return
    everything = not session.rows("curation/read_edition", feed=feed, edition=previous)
    rows = [(feed, name, version, edition) for name, version in shown(everything)]
    with session.transaction(), session.registering(batch_served=table(rows, _SERVED)):
        session.run("curation/insert_edition", **values)
        session.run("curation/insert_served")


def last_sequence(session: Session, feed: str) -> int:
    """The sequence of the last recorded edition of a feed; 0 without one."""
    return int(session.rows("curation/read_last_sequence", feed=feed)[0]["sequence"])
