"""The counters of a campaign, and the states that it compares."""

import json
from dataclasses import dataclass
from typing import Any

from pipelines.demo.registry import Key, Row

State = dict[Key, tuple[Any, ...]]


@dataclass
class Tally:
    """What a campaign did, as counts for its report."""

    histories: int = 0
    pulls: int = 0
    failed_pulls: int = 0
    reconciles: int = 0
    faults: int = 0
    changes: int = 0
    brakes: int = 0
    kills: int = 0
    lies: int = 0
    spoiled: int = 0
    unmet: int = 0


class NoPandas:
    """Reports at once that pandas is missing: DuckDB looks for it with every statement, and the
    search along the path takes a fifth of a history's time."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


class Killed(BaseException):
    """Raised between two steps of a pull, as if the process had died there."""


def visible(row: Row) -> tuple[Any, ...]:
    return (
        row.server,
        row.status,
        row.status_message,
        row.published_at,
        row.updated_at,
        row.is_latest,
    )


def stored(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        json.loads(row["body"]),
        row["status"],
        row["status_message"],
        row["published_at"],
        row["updated_at"],
        row["is_latest"],
    )
