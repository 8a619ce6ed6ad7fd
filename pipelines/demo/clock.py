"""A clock that stands until it is moved."""

from datetime import datetime, timedelta


class FakeClock:
    """Callable like `datetime.now`; every call is one millisecond later than the one before."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def move_to(self, at: datetime) -> None:
        """Go on to a later instant; never back."""
        self._now = max(self._now, at)
