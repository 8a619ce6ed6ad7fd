"""When a package is asked for again, and when an absence is believed. Pure."""

import hashlib
from datetime import datetime, timedelta

from connectors.outcomes import NEGATIVE, UNDECIDED, Outcome

_HOUR = timedelta(hours=1)
_NEGATIVE_STEPS = (_HOUR, 24 * _HOUR, timedelta(days=7), timedelta(days=30))
_CONFIRMATIONS = 3
_CONFIRMED_AFTER = 24 * _HOUR
_SLOW = {Outcome.BLOCKED_LEGAL: timedelta(days=30), Outcome.SECURITY_HOLD: timedelta(days=7)}


def confirmed(absences: int, absent_since: datetime, now: datetime) -> bool:
    """An absence is known after three answers over at least a day."""
    return absences >= _CONFIRMATIONS and now - absent_since >= _CONFIRMED_AFTER


def next_check(
    package: str,
    outcome: Outcome,
    *,
    now: datetime,
    failures: int,
    absences: int,
    last_published_at: datetime | None,
    any_absent: bool,
) -> datetime:
    """The instant of the next check: by outcome, then by age, spread by a hash of the name."""
    if outcome in UNDECIDED:
        return now + min(_HOUR * (1 << min(max(failures - 1, 0), 5)), 24 * _HOUR)
    if outcome in NEGATIVE or any_absent:
        return now + _NEGATIVE_STEPS[min(max(absences, 1), len(_NEGATIVE_STEPS)) - 1]
    interval: timedelta = _SLOW.get(outcome) or _by_age(now, last_published_at)
    share = int.from_bytes(hashlib.sha256(package.encode()).digest()[:4]) / 2**32
    return now + interval * (0.9 + 0.2 * share)


def _by_age(now: datetime, last_published_at: datetime | None) -> timedelta:
    if last_published_at is None:
        return timedelta(days=3)
    age = now - last_published_at
    if age < timedelta(days=7):
        return timedelta(days=1)
    return timedelta(days=3) if age < timedelta(days=90) else timedelta(days=7)
