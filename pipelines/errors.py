"""The errors of the steps, and the exit code each one ends a command with.

StepError        1  the step failed; the message says what to do
├── UsageError   2  a flag, a setting or a file is wrong
├── Refused      3  a gate or a brake refused
└── Busy         4  another process is at it
"""


class StepError(Exception):
    exit_code = 1


class UsageError(StepError):
    exit_code = 2


class Refused(StepError):
    exit_code = 3


class Busy(StepError):
    exit_code = 4
