"""A bound on log lines: many requests that fail in one way must not fill a disk."""

import logging
import time


class FloodFilter(logging.Filter):
    """Lets `most` records of one message pass in `seconds`, then says how many it left out."""

    def __init__(self, most: int = 20, seconds: float = 10.0) -> None:
        super().__init__()
        self._most, self._seconds = most, seconds
        self._counts: dict[str, tuple[float, int]] = {}  # since when, and how many, by message

    def filter(self, record: logging.LogRecord) -> bool:
        now, message = time.monotonic(), str(record.msg)
        began, count = self._counts.get(message, (now, 0))
        if now - began >= self._seconds:
            if count > self._most:
                record.msg = f"{message} ({count - self._most} lines before it were left out)"
            began, count = now, 0
        self._counts[message] = began, count + 1
        return count < self._most


_LOGGERS = (
    "uvicorn.error",
    "serve.server.app",
    "serve.server.live_editions",
    "serve.server.protocol",
)
_filters = {name: FloodFilter() for name in _LOGGERS}


def bound_logs() -> None:
    """Bound what a server process logs; a repeat changes nothing."""
    for name, bound in _filters.items():
        logging.getLogger(name).addFilter(bound)
