"""The errors of the steps, and the exit code each one ends a command with.

StepError           1  the step failed; the message says what to do
├── UsageError      2  a flag, a setting or a file is wrong
├── Refused         3  a gate or a brake refused
│   └── GateRefused    its reasons, and the edition
├── Busy            4  another process is doing the same work
├── OutOfResources  1  the disk is full, or memory ran out
└── SomeFailed      *  some upstreams or feeds failed: 3 if one was refused, else as the first error
"""

from collections.abc import Mapping, Sequence

from connectors.errors import ConnectorError
from serve.errors import FeedBusy, PolicyInvalid, ServeError, SwitchRefused
from warehouse.errors import BrakeEngaged, QueryRefused, WarehouseBusy, WarehouseError


class StepError(Exception):
    exit_code = 1


class UsageError(StepError):
    exit_code = 2


class Refused(StepError):
    exit_code = 3


class GateRefused(Refused):
    def __init__(self, message: str, *, reasons: Sequence[str], edition: str) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)
        self.edition = edition


class Busy(StepError):
    exit_code = 4


class OutOfResources(StepError):
    pass


class SomeFailed(StepError):
    """`errors` has the error of each upstream or feed that failed; the others succeeded."""

    def __init__(self, errors: Mapping[str, Exception]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = errors


def exit_code(error: Exception) -> int | None:
    """The exit code of an error that a user can act on; None for a bug of ours."""
    # The first match counts, so subclasses come before their base class.
    known: list[tuple[type[Exception], int]] = [
        (BrakeEngaged, 3),
        (SwitchRefused, 3),
        (FeedBusy, 4),
        (WarehouseBusy, 4),
        (PolicyInvalid, 2),
        (QueryRefused, 2),
        (WarehouseError, 1),
        (ConnectorError, 1),
        (ServeError, 1),
        (OSError, 1),
    ]
    if isinstance(error, SomeFailed):
        codes = [exit_code(cause) or 1 for cause in error.errors.values()]
        return 3 if 3 in codes else codes[0]
    if isinstance(error, StepError):
        return error.exit_code
    return next((code for kind, code in known if isinstance(error, kind)), None)


def stop_in(error: BaseException | None) -> BaseException | None:
    """What a signal raised, if it is behind an error: DuckDB wraps it in one of its own."""
    while isinstance(error, Exception):
        error = error.__cause__
    return error
