"""Attempts: each try of a step goes into the account of its upstream or feed, well or ill."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec

from pipelines.accounts import Account, AccountFile, Attempt, Outcome, Override, Stop
from pipelines.errors import GateRefused, exit_code, stop_in
from warehouse.errors import BrakeEngaged

_OUTCOMES: dict[int | None, Outcome] = {3: "refused", 4: "busy"}


class Success:
    """What a step that succeeds adds to its account."""

    def __init__(self, before: Account) -> None:
        self.before = before
        self.figures: dict[str, Any] | None = None  # what the account's JSON will hold of a report
        self.ends_stop = False
        self.forgets: str | None = None  # a step whose failure no longer matters
        self.override: Override | None = None

    def __call__(self, account: Account) -> Account:
        steps = {
            name: step
            for name, step in account.steps.items()
            if name != self.forgets or step.last.outcome == "done"
        }
        return msgspec.structs.replace(
            account,
            steps=steps,
            stop=None if self.ends_stop else account.stop,
            override=self.override or account.override,
            figures=account.figures if self.figures is None else self.figures,
        )


@contextmanager
def attempt(
    file: AccountFile, step: str, before: Account, *, now: Callable[[], datetime]
) -> Iterator[Success]:
    """Try a step while the block runs. Its errors are noted and raised again."""
    success = Success(before)
    try:
        yield success
    except Exception as error:
        if stop_in(error) is not None:
            raise
        at, outcome = now(), _OUTCOMES.get(exit_code(error), "failed")
        tried, stop = Attempt(at, outcome, _text(error)), _stop(error, at)
        file.update(lambda account: _stopped(account.noted(step, tried), stop))
        raise
    done = Attempt(now(), "done")
    file.update(lambda account: success(account.noted(step, done)))


def _text(error: Exception) -> str:
    """The message, in what JSON can hold: a path may have bytes that are no text."""
    return str(error).encode("utf-8", "backslashreplace").decode()


def _stop(error: Exception, at: datetime) -> Stop | None:
    if isinstance(error, BrakeEngaged):
        return Stop(at, (str(error),))
    if isinstance(error, GateRefused):
        return Stop(at, error.reasons, error.edition)
    return None


def _stopped(account: Account, stop: Stop | None) -> Account:
    if stop is None:
        return account
    if account.stop is not None:
        stop = msgspec.structs.replace(stop, since=account.stop.since)
    return msgspec.structs.replace(account, stop=stop)
