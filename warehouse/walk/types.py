"""Types of a walk and of its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from warehouse.database.session import Row

Batch = Mapping[str, pa.Table]
"""The result of `warehouse.walk.staging.Readings.tables`."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Walk:
    """A drained walk.

    `asked_at` is upstream's clock when the first request was sent, `started_at` is ours;
    `after_commit` is the lowest commit number that its pages carry. `certain`: an entry that a full
    walk does not show is gone, as in a local directory. `retried` are quarantined records that were
    asked for one by one, `gone` those that upstream no longer has; `unsettled` are names whose
    versions could not be read again. Unless upstream is `askable` by `updated_since`, there is no
    watermark. A walk that `corrects` is believed where it is older than what is stored: those
    instants were ours.
    """

    walk_id: str
    upstream: str
    url: str
    full: bool
    since: datetime | None
    asked_at: datetime
    started_at: datetime
    after_commit: int
    pages: int
    stale: bool
    certain: bool = False
    retried: Sequence[Key] = ()
    gone: Sequence[Key] = ()
    unsettled: Sequence[str] = ()
    askable: bool = True
    corrects: bool = False


@dataclass(frozen=True)
class Merge:
    """What a committed walk changed.

    `unmet` are known entries that an incremental walk should have shown and did not; `missing`
    counts those of a full walk. Such a walk counts as cut short: the watermark stays until these
    entries are confirmed as gone, then becomes `pending`. `unconfirmed` counts what full walks
    missed.
    """

    entries: int
    new: int
    changed: int
    missing: int
    unconfirmed: int
    vanished: int
    unreadable: int
    unmet: list[Key]
    watermark: datetime | None
    pending: datetime | None


def keys(rows: list[Row]) -> list[Key]:
    return [(row["name"], row["version"]) for row in rows]
