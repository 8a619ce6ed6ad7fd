"""The recorded data and specifications beside the checkout, and what is skipped without them."""

import gzip
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.registry import OFFICIAL, Row

FOLDER = Path(__file__).resolve().parents[3] / "shared"
Json = dict[str, Any]  # recorded JSON


def require(path: str) -> Path:
    """A file of ../shared; without it the test is skipped, in CI it fails."""
    found = FOLDER / path
    if not found.exists():
        missing(f"../shared/{path} is not there")
    return found


def missing(reason: str) -> None:
    """Skip with a reason; in CI, where everything must be there, fail."""
    if os.environ.get("SUBREGISTRY_CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def base_dump() -> list[Json]:
    """The full registry of 2025-10-07."""
    return list(_lines("data/registry-2025-10-07.jsonl.gz"))


def timeline() -> list[tuple[datetime, list[Json]]]:
    """Every recorded step to 2025-11-30: instant of the recording, entries new or different."""
    return [
        (datetime.fromisoformat(step["observedAt"]), step["upserts"])
        for step in _lines("data/registry-timeline-2025-10-07--2025-11-30.jsonl.gz")
    ]


def recorded_row(entry: Json) -> Row:
    """A recorded entry as a row of the scripted registry."""
    official = entry["_meta"][OFFICIAL]
    return Row(
        server=entry["server"],
        status=official["status"],
        published_at=datetime.fromisoformat(official["publishedAt"]),
        updated_at=datetime.fromisoformat(official["updatedAt"]),
        status_changed_at=None,
        is_latest=official["isLatest"],
    )


def _lines(path: str) -> Iterator[Json]:
    with gzip.open(require(path), "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
