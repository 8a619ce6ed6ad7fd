"""What a list asks for, and instants as editions keep them. Nothing here reads an edition."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Selection:
    """What a list asks for. Instants are microseconds; `search` is lower case bytes."""

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
