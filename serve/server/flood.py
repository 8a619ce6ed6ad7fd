"""A bound on log lines: many requests that fail in one way must not fill a disk."""

import logging
import time


class FloodFilter(logging.Filter):
    """Lets `most` records of a logger pass in `seconds`, then says how many it left out."""

    def __init__(self, most: int = 20, seconds: float = 10.0) -> None:
        super().__init__()
        self._most, self._seconds = most, seconds
        self._began, self._passed, self._left_out = 0.0, 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._began >= self._seconds:
            if self._left_out:
                record.msg = f"{record.msg} ({self._left_out} lines before it were left out)"
            self._began, self._passed, self._left_out = now, 0, 0
        self._passed += 1
        self._left_out += self._passed > self._most
        return self._passed <= self._most
