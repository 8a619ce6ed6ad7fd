"""The filters of a list, and instants as editions store them. Nothing here reads an edition."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Selection:
    """The filters of a list. `since` is in microseconds since 1970; `search` is in lower case."""

    latest: bool = False
    version: bytes | None = None
    since: int | None = None
    include_deleted: bool = False
    search: bytes = b""


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
