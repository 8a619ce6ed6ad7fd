"""A bound on log lines."""

import logging

import pytest

from serve.server.flood import FloodFilter


def test_a_flood_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("serve.server.flood.time.monotonic", lambda: now)
    flood, passed = FloodFilter(most=3, seconds=10), []
    for number in range(50):
        record = logging.LogRecord("x", logging.WARNING, "", 1, "at %s", (number,), None)
        if flood.filter(record):
            passed.append(record.getMessage())
    assert passed == ["at 0", "at 1", "at 2"]
    other = logging.LogRecord("x", logging.ERROR, "", 1, "a defect", (), None)
    assert flood.filter(other)  # one kind of trouble hides no other
    now = 111.0
    record = logging.LogRecord("x", logging.WARNING, "", 1, "at %s", ("last",), None)
    assert flood.filter(record)
    assert record.getMessage() == "at last (47 lines before it were left out)"
