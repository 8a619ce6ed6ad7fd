"""Fixtures of the line: an upstream that has something to lose."""

from datetime import timedelta

import pytest

from tests.conftest import START, Upstream, server_json
from tests.line.test_history import HOUR


@pytest.fixture
def full_of_servers(upstream: Upstream) -> Upstream:
    """Sixty servers with three versions each."""
    for number in range(60):
        for minor in range(3):
            at = START - timedelta(days=9) + number * HOUR + minor * timedelta(minutes=1)
            upstream.registry.publish(server_json(f"io.github.o/s{number:02d}", f"1.{minor}.0"), at)
    return upstream
