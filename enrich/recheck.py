"""When a package is asked for again, and when an absence is believed. Pure."""

import hashlib
from datetime import UTC, datetime, timedelta

from connectors.registries.lookup import UNDECIDED, Outcome

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_NEGATIVE_STEPS = (_HOUR, _DAY, 7 * _DAY, 30 * _DAY)
_CONFIRMATIONS = 3
_CONFIRMED_AFTER = _DAY
_BY_OUTCOME = {
    Outcome.BLOCKED_LEGAL: 30 * _DAY,
    Outcome.GONE: 30 * _DAY,
    Outcome.SECURITY_HOLD: 7 * _DAY,
    Outcome.UNPUBLISHED: 7 * _DAY,
    Outcome.QUARANTINED: _DAY,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def confirmed(absences: int, absent_since: datetime, now: datetime) -> bool:
    """An absence is believed after three answers over at least a day."""
    return absences >= _CONFIRMATIONS and now - absent_since >= _CONFIRMED_AFTER


def next_check(
    package: str,
    outcome: Outcome,
    *,
    now: datetime,
    failures: int,
    absences: int,
    last_published_at: datetime | None,
    deferred: int,
) -> datetime:
    """The instant of the next check: by outcome, then by age, spread by a hash of the name.

    `absences` counts the answers that lacked whatever has been missing for the shortest time, 0 if
    nothing is missing. `deferred` counts requests that were put off.
    """
    if outcome in UNDECIDED or deferred:
        # Exponential backoff: 1, 2, 4 ... hours, at most a day.
        return now + min(_HOUR * (1 << min(max(failures - 1, 0), 5)), _DAY)
    if absences:
        return now + _NEGATIVE_STEPS[min(absences, len(_NEGATIVE_STEPS)) - 1]
    return _spread(package, _BY_OUTCOME.get(outcome) or _by_age(now, last_published_at), now)


def _spread(package: str, interval: timedelta, now: datetime) -> datetime:
    """The package's own time in the interval, at least a quarter of the interval away.

    Even if many packages were first asked for at the same instant, their later checks spread
    evenly.
    """
    # The hash gives every package a fixed phase in [0, 1) of the interval.
    share = int.from_bytes(hashlib.sha256(package.encode()).digest()[:4]) / 2**32
    gap = interval - (now - _EPOCH - share * interval) % interval
    return now + (gap if gap >= interval / 4 else gap + interval)


def _by_age(now: datetime, last_published_at: datetime | None) -> timedelta:
    if last_published_at is None:
        return 3 * _DAY
    age = now - last_published_at
    if age < 7 * _DAY:
        return _DAY
    return 3 * _DAY if age < 90 * _DAY else 7 * _DAY
