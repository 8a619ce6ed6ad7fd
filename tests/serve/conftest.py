"""Fixtures for everything that is served."""

from pathlib import Path

import pytest

from serve.feed.feed import Feed
from serve.server import accesslog
from tests.support.feeds import entry, publish


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """A feed of 240 servers. Logging is off, even if another test opened a log: it would force the
    long way."""
    monkeypatch.setattr(accesslog, "is_open", lambda: False)
    feed = Feed(tmp_path, "default")
    entries = [
        entry(f"a.b/s{number:03}", description=f"Number {number} " + "x" * 60)
        for number in range(240)
    ]
    publish(feed, entries, "e1")
    return feed
