"""The errors of the steps, and the exit code each one ends a command with.

StepError           1  the step failed; the message says what to do
├── UsageError      2  a flag, a setting or a file is wrong
├── Refused         3  a gate or a brake refused
├── Busy            4  another process is doing the same work
├── OutOfResources  1  the disk is full, or memory ran out
└── SomeFailed      *  some upstreams or feeds failed: 3 if one was refused, else as the first error
"""

from collections.abc import Mapping


class StepError(Exception):
    exit_code = 1


class UsageError(StepError):
    exit_code = 2


class Refused(StepError):
    exit_code = 3


class Busy(StepError):
    exit_code = 4


class OutOfResources(StepError):
    pass


class SomeFailed(StepError):
    """`errors` has the error of each upstream or feed that failed; the others succeeded."""

    def __init__(self, errors: Mapping[str, Exception]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = errors
