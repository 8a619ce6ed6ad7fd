"""The brake: how much one walk may lose before an operator must confirm that upstream is right.

An upstream that was wiped, restored or cut off looks like many changes at once. Floors keep small
upstreams from engaging the brake. The statements read what the walk staged; see
`warehouse.walk.merge`.
"""

from datetime import datetime

from warehouse.database.session import Row, Session
from warehouse.errors import BrakeEngaged
from warehouse.walk.state import summarize

_FLOOR = 20
"""Up to so many lost entries engage no brake, whatever share they are."""


def hold_loss(
    session: Session,
    *,
    upstream: str,
    url: str,
    certain: bool,
    before: int | None,
    met: int,
    horizon: datetime,
) -> None:
    """Raise BrakeEngaged if a full walk lost more than is plausible.

    `before` and `met` count what the last full walk and this one met. Entries that changed after
    `horizon` may be missing. If absence is `certain`, emptiness alone says nothing.
    """
    loss = session.rows("walk/measure_loss", upstream=upstream, horizon=horizon)[0]
    known, missing = loss["known"], loss["missing"]
    before = before or known
    reason = ""
    if known and not met and not certain:
        reason = f"it is empty where {known} entries are known"
    elif missing > max(_FLOOR, known * 0.005):
        reason = f"{missing} of {known} known entries are gone"
    elif met < before * 0.98 and before - met > _FLOOR:
        reason = f"it has {met} entries where the last full walk met {before}"
    elif loss["older"] > max(_FLOOR, known * 0.005):
        reason = f"{loss['older']} entries went back to an earlier state"
    elif loss["newer"] > _FLOOR and not certain:
        reason = f"{loss['newer']} entries are known that are newer than its newest"
    if reason:
        raise _engaged(upstream, url, reason, missing=missing, known=known, met=met)


def hold_unreadable(session: Session, *, url: str, unreadable: int) -> None:
    """Raise BrakeEngaged for a walk of which not one record can be read."""
    for row in session.rows("walk/read_unreadable"):
        raise BrakeEngaged(
            f"{url}: none of its {unreadable} records can be read ({row['reason']}). Nothing was "
            "changed. Ask whoever runs it; a registry that was taken for a mirror of the official "
            'one needs "kind": "registry"',
            missing=0,
            known=0,
            met=0,
        )


def hold_unmet(
    session: Session, *, upstream: str, url: str, since: datetime, met: int
) -> list[Row]:
    """Known entries (name, version) that an incremental walk should have shown and did not.

    Unreadable records without a key may be these entries. Raises BrakeEngaged if there are many.
    """
    keyless = int(session.rows("walk/count_keyless")[0]["count"])
    limit = keyless + 2 * _FLOOR
    unmet = session.rows("walk/list_unmet", upstream=upstream, since=since, limit=limit)
    if len(unmet) <= keyless:
        return []
    if len(unmet) > _FLOOR:
        reason = f"more than {_FLOOR} entries that changed after {since} are not shown"
        raise _engaged(upstream, url, reason, missing=len(unmet), known=len(unmet), met=met)
    return unmet


def hold_empty(session: Session, *, upstream: str, url: str) -> None:
    """Raise BrakeEngaged for a registry that shows nothing at all, if entries of it are known."""
    known = summarize(session, upstream)["versions"]
    if known:
        reason = f"it is empty where {known} entries are known"
        raise _engaged(upstream, url, reason, missing=known, known=known, met=0)


def _engaged(upstream: str, url: str, reason: str, **counts: int) -> BrakeEngaged:
    return BrakeEngaged(
        f"{url} looks wiped, restored or cut off: {reason}. Nothing was changed and the feeds stay "
        "as they are; nothing of it is deleted until a full walk passes. If upstream is right, run "
        f"subregistry pull --upstream {upstream} --accept-shrink --reason WHY",
        **counts,
    )
