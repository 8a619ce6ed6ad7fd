"""How fast one host is asked: at a fixed pace, or adapted to its answers.

The adaptive limiter is congestion control as in TCP, but with multiplicative increase as well as
decrease, with a circuit breaker and a daily budget: 429 and 503 halve rate and slots, each good
answer raises them by a thousandth of their value. What it learns is a `HostState`, which outlives
the run.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import (
    ConnectorError,
    HostClosed,
    RateLimited,
    ServerTrouble,
    TransientError,
    UnexpectedStatus,
)

# Consecutive failures that close a host, and for how long.
_FAILURES = 5
_PAUSE = timedelta(minutes=30)
_LONGEST = timedelta(hours=6)
# A longer Retry-After than this many seconds closes the host instead of delaying requests.
_PATIENT = 60.0
_RISE = 1.001
_FLOOR = 1 / 64
# Retries of a run: this share of its requests, but at least so many.
_RETRY_FLOOR = 10
_RETRY_SHARE = 0.1


@dataclass(frozen=True)
class RateLimits:
    """Upper limits of one host: requests per second (0 = unlimited), at once, and per UTC day."""

    rate: float = 1.0
    slots: int = 1
    budget: int = 20_000


@dataclass(frozen=True)
class HostState:
    """What is known about a host between runs.

    `load_factor` is the share (0 to 1) of its limits that the host bears now. `failures` counts
    consecutive ones; nothing is sent before `closed_until`; `requests` are those of the UTC day
    `day` (ISO date).
    """

    load_factor: float = 1.0
    failures: int = 0
    closed_until: datetime | None = None
    reason: str = ""
    day: str = ""
    requests: int = 0


class Pacer:
    """Keep the requests of all threads at least 1/rate seconds apart; 0 is unlimited."""

    def __init__(self, rate: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._rate = rate
        self._sleep = sleep
        self._next = 0.0
        self._condition = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent; the caller sends it inside the block."""
        with self._condition:
            # Reserve a place under the lock but sleep outside, so that threads queue up in order.
            wait = self._pace(self._rate)
        if wait > 0:
            self._sleep(wait)
        yield

    def may_retry(self) -> bool:
        """Whether one more retry may be sent."""
        return True

    def answered(self) -> None:
        """Note a good answer."""

    def failed(self, error: ConnectorError) -> None:
        """Note a failed request."""

    def slow_down(self) -> None:
        """Note that the host may dislike the present rate."""

    @property
    def bans(self) -> bool:
        """Whether the host may refuse this client as a whole."""
        return False

    def _pace(self, rate: float) -> float:
        """Reserve the next time slot; return the seconds to wait for it."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + (1.0 / rate if rate > 0 else 0.0)
        return start - now


class AdaptiveLimiter(Pacer):
    """Admit requests to one host from any number of threads, as fast as the host bears them."""

    def __init__(
        self,
        limits: RateLimits,
        *,
        state: HostState | None = None,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        bans: bool = True,
    ) -> None:
        super().__init__(limits.rate, sleep=sleep)
        self.limits = limits
        self._bans = bans
        self._state = state or HostState()
        self._now = now
        self._busy = 0
        self._sent = self._retries = 0
        # A host that was closed is probed with one request at a time once its pause has ended.
        self._probing = self._state.closed_until is not None

    @property
    def state(self) -> HostState:
        with self._condition:
            return self._state

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a slot and for the pace, then send. Raises HostClosed instead of sending."""
        with self._condition:
            while self._busy >= self._slots():
                self._condition.wait()
            self._refuse()
            self._busy += 1
            self._sent += 1
            state = self._today()
            self._state = replace(state, requests=state.requests + 1)
            wait = self._pace(self._rate * self._state.load_factor)
        try:
            if wait > 0:
                self._sleep(wait)
                # Another thread may have closed the host meanwhile.
                with self._condition:
                    self._refuse()
            yield
        finally:
            with self._condition:
                self._busy -= 1
                self._condition.notify_all()

    def may_retry(self) -> bool:
        """Whether this run may send one more retry: a tenth of its requests, but at least ten."""
        with self._condition:
            granted = self._retries < max(_RETRY_FLOOR, self._sent * _RETRY_SHARE)
            self._retries += granted
            return granted

    def answered(self) -> None:
        """Note a good answer: reset failures and raise the rate a little.

        An answer to a request that was sent before the host was closed does not open it again.
        """
        with self._condition:
            state = self._state
            if state.closed_until is not None and self._now() < state.closed_until:
                return
            self._probing = False
            self._state = replace(
                state,
                load_factor=min(1.0, state.load_factor * _RISE),
                failures=0,
                closed_until=None,
                reason="",
            )
            self._condition.notify_all()

    def failed(self, error: ConnectorError) -> None:
        """Slow down, and close the host where further requests would be rude.

        An error of one document only (a 403 in JSON, garbage) says nothing about the host.
        """
        ban = isinstance(error, UnexpectedStatus) and error.ban
        if not (ban or isinstance(error, TransientError)):
            return
        limited = isinstance(error, RateLimited)
        busy = limited or (isinstance(error, ServerTrouble) and error.status == 503)
        requested = error.retry_after if isinstance(error, TransientError) else None
        with self._condition:
            state = self._state
            failures = state.failures + 1
            pause: timedelta | None = None
            if requested is not None and requested > _PATIENT:
                pause = min(timedelta(seconds=requested), _LONGEST)
            # A 429 without Retry-After, or any failure of a probe, closes the host at once.
            elif ban or (limited and requested is None) or failures >= _FAILURES or self._probing:
                pause = _PAUSE
            self._probing = self._probing or pause is not None
            if requested is not None and pause is None:
                # Delays every thread, not only the one that got this answer.
                self._next = max(self._next, time.monotonic() + requested)
            self._state = replace(
                state,
                load_factor=max(_FLOOR, state.load_factor / 2) if busy else state.load_factor,
                failures=failures,
                closed_until=self._now() + pause if pause else state.closed_until,
                reason=str(error)[:200],
            )
            self._condition.notify_all()

    def slow_down(self) -> None:
        with self._condition:
            factor = max(_FLOOR, self._state.load_factor / 2)
            self._state = replace(self._state, load_factor=factor)

    @property
    def bans(self) -> bool:
        return self._bans

    def _refuse(self) -> None:
        state = self._today()
        if state.closed_until is not None and self._now() < state.closed_until:
            raise HostClosed(
                f"not asked before {state.closed_until:%Y-%m-%dT%H:%M:%SZ}: {state.reason}"
            )
        if state.requests >= self.limits.budget:
            raise HostClosed(f"the day's {self.limits.budget} requests are used up")

    def _today(self) -> HostState:
        day = self._now().date().isoformat()
        return self._state if self._state.day == day else replace(self._state, day=day, requests=0)

    def _slots(self) -> int:
        # Slots shrink with the load factor, like the rate.
        return 1 if self._probing else max(1, int(self.limits.slots * self._state.load_factor))
