"""A fake clock: time moves only when the clock is read or moved."""

from datetime import datetime, timedelta


class FakeClock:
    """Callable like `datetime.now`; each call returns an instant 1 ms after the previous one."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def move_to(self, at: datetime) -> None:
        """Advance to a later instant; an earlier one changes nothing."""
        self._now = max(self._now, at)
