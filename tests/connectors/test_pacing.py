"""The limiter of a host: pace and slots, the circuit breaker, the daily budget."""

import threading
from datetime import timedelta

import pytest

from connectors.errors import (
    ConnectorError,
    HostClosed,
    RateLimited,
    ServerTrouble,
    UnexpectedStatus,
    Unreachable,
)
from connectors.http.pacing import AdaptiveLimiter, HostState, RateLimits
from pipelines.demo.clock import FakeClock
from tests.support.deployments import START

MINUTE = timedelta(minutes=1)


def make_limiter(
    clock: FakeClock, state: HostState | None = None, **limits: float | int
) -> AdaptiveLimiter:
    rate, slots = float(limits.get("rate", 0)), int(limits.get("slots", 4))
    budget = int(limits.get("budget", 1000))
    return AdaptiveLimiter(
        RateLimits(rate, slots, budget), state=state, now=clock, sleep=lambda _: None
    )


def limited(retry_after: float | None = None) -> RateLimited:
    return RateLimited("429", url="u", retry_after=retry_after)


def trouble(status: int = 500) -> ServerTrouble:
    return ServerTrouble(str(status), url="u", status=status, retry_after=None)


def sends(limiter: AdaptiveLimiter) -> bool:
    try:
        with limiter.turn():
            return True
    except HostClosed:
        return False


def test_what_a_host_cannot_bear_is_halved_and_comes_back_by_tenths(clock: FakeClock) -> None:
    limiter = make_limiter(clock)
    limiter.failed(limited(1))
    limiter.failed(trouble(503))
    assert limiter.state.load_factor == 0.25
    for _ in range(100):
        limiter.answered()
    # Each good answer raises the factor by a thousandth.
    assert limiter.state.load_factor == pytest.approx(0.25 * 1.001**100)
    for _ in range(1500):
        limiter.answered()
    assert limiter.state.load_factor == 1.0
    limiter.failed(trouble(500))
    assert limiter.state.load_factor == 1.0


@pytest.mark.parametrize(
    ("errors", "minutes"),
    [
        ([trouble()] * 4, 0),
        ([trouble()] * 5, 30),
        ([Unreachable("x")] * 5, 30),
        ([limited()], 30),
        ([limited(30)], 0),
        ([limited(3600)], 60),
        ([limited(99 * 3600)], 360),
        ([UnexpectedStatus("403", url="u", status=403, ban=True)], 30),
        ([UnexpectedStatus("403", url="u", status=403)] * 9, 0),
        ([ConnectorError("malformed")] * 9, 0),
    ],
)
def test_a_host_is_let_alone_for_as_long_as_is_polite(
    clock: FakeClock, errors: list[ConnectorError], minutes: int
) -> None:
    limiter = make_limiter(clock)
    for error in errors:
        limiter.failed(error)
    assert sends(limiter) == (minutes == 0)
    if minutes:
        clock.move_to(START + minutes * MINUTE - timedelta(seconds=1))
        assert not sends(limiter)
        clock.move_to(START + minutes * MINUTE)
        assert sends(limiter)


def test_after_the_pause_one_request_probes_and_decides(clock: FakeClock) -> None:
    limiter = make_limiter(clock)
    for _ in range(5):
        limiter.failed(trouble())
    clock.move_to(START + 31 * MINUTE)
    again = make_limiter(clock, limiter.state)
    with again.turn():
        waiting = threading.Thread(target=sends, args=(again,))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive(), "a second request waits for what the probe comes to"
        again.failed(trouble())
    waiting.join(5)
    assert not sends(again)
    assert again.state.requests == limiter.state.requests + 1
    clock.move_to(START + 62 * MINUTE)
    assert sends(again)
    again.answered()
    assert (again.state.closed_until, again.state.failures) == (None, 0)


def test_an_answer_that_was_under_way_does_not_open_a_closed_host(clock: FakeClock) -> None:
    limiter = make_limiter(clock)
    limiter.failed(limited())
    limiter.answered()
    assert not sends(limiter)


def test_who_waited_for_its_pace_asks_again_whether_the_host_is_open(clock: FakeClock) -> None:
    limiter = make_limiter(clock, rate=1)
    assert sends(limiter)
    # The host closes while the request waits for its turn.
    limiter._sleep = lambda _: limiter.failed(limited())
    assert not sends(limiter)


def test_the_budget_of_a_day_outlives_the_run_and_ends_with_the_day(clock: FakeClock) -> None:
    limiter = make_limiter(clock, budget=3)
    assert [sends(limiter) for _ in range(4)] == [True, True, True, False]
    again = make_limiter(clock, limiter.state, budget=3)
    assert not sends(again)
    clock.move_to(START + timedelta(days=1))
    assert sends(again)


def test_second_tries_are_a_tenth_of_the_requests_or_ten(clock: FakeClock) -> None:
    limiter = make_limiter(clock)
    assert [limiter.may_retry() for _ in range(11)].count(True) == 10
    for _ in range(200):
        sends(limiter)
    assert [limiter.may_retry() for _ in range(20)].count(True) == 10


def test_never_more_at_once_than_there_are_slots(clock: FakeClock) -> None:
    limiter, lock = make_limiter(clock, slots=2), threading.Lock()
    busy, most, release = 0, 0, threading.Event()

    def ask() -> None:
        nonlocal busy, most
        with limiter.turn():
            with lock:
                busy += 1
                most = max(most, busy)
            release.wait(0.02)
            with lock:
                busy -= 1

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
