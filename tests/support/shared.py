"""The recorded data and specifications beside the checkout; tests without them are skipped."""

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
    """The path of a file in ../shared; if it is missing, skip the test, or fail in CI."""
    file = FOLDER / path
    if not file.exists():
        missing(f"../shared/{path} is not there")
    return file


def missing(reason: str) -> None:
    """Skip with a reason; fail in CI, where everything must be present."""
    if os.environ.get("SUBREGISTRY_CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def base_dump() -> list[Json]:
    """The full registry of 2025-10-07."""
    return list(_lines("data/registry-2025-10-07.jsonl.gz"))


def timeline() -> list[tuple[datetime, list[Json]]]:
    """Every recorded step to 2025-11-30: its instant, and the entries that are new or changed."""
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
