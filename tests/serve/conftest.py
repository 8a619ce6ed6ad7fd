"""Fixtures for all that is served."""

from pathlib import Path

import pytest

from serve.feed.feed import Feed
from serve.server import accesslog
from tests.support.feeds import entry, publish


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """A feed of 240 servers. Nothing is logged, although another test may have opened a log: that
    would be the long way."""
    monkeypatch.setattr(accesslog, "is_open", lambda: False)
    found = Feed(tmp_path, "default")
    entries = [entry(f"a.b/s{n:03}", description=f"Number {n} " + "x" * 60) for n in range(240)]
    publish(found, entries, "e1")
    return found
