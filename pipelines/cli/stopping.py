"""Stopping: what SIGTERM and Ctrl-C do to a command, and where the next run goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

_SERVERS = ("serve", "demo")
"""These end by themselves: they finish open requests first."""
_WALK = (
    "on the same day a full walk goes on after its last whole page, every other starts at its "
    "watermark again"
)
_GOES_ON = {
    "pull": _WALK,
    "run": f"{_WALK}; a step that was done finds nothing new",
    "profile": "what was learnt is stored; at most the last 200 packages are asked again",
}
_ELSE = "the step starts from its beginning"


class Stopped(BaseException):
    """SIGTERM came."""


@contextmanager
def stoppable(command: str) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: files are closed and locks freed."""
    # Only the main thread may take a signal.
    if command in _SERVERS or current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(*_: object) -> None:
    raise Stopped


def stopped(command: str, why: BaseException) -> tuple[int, str]:
    """The exit code, as shells count it, and what to tell."""
    by = signal.SIGTERM if isinstance(why, Stopped) else signal.SIGINT
    if command in _SERVERS:
        return 128 + by, ""
    return 128 + by, (
        f"stopped by {by.name}; what is live stays. Run the same command again: "
        f"{_GOES_ON.get(command, _ELSE)}"
    )
