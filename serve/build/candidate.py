"""What a build is made of: every known entry with its verdict, next to the previous edition."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from serve.edition.edition import Edition
from serve.edition.selection import from_micros


@dataclass(frozen=True)
class Candidate:
    """An entry as curation left it. `server` and `meta` are upstream's bytes if it is admitted.

    `raw` is the whole entry where upstream sent more or other than these two; `served` says that
    an earlier edition showed it, whatever is left of that edition. `held` by a cooldown: until
    `held_until`, or until its age is known. `atoms` and `seen` are for explanations. `kept`: all of
    it is as the previous edition has it; of JSON there is nothing then.
    """

    name: str
    version: str
    admitted: bool
    rule: str
    reason: str
    status: str
    is_latest: bool
    published_at: datetime
    updated_at: datetime
    status_message: str | None = None
    status_changed_at: datetime | None = None
    schema_uri: str | None = None
    server: bytes | None = None
    meta: bytes | None = None
    enrichment: bytes | None = None
    raw: bytes | None = None
    unknown: tuple[str, ...] = ()
    served: bool = False
    held: bool = False
    held_until: datetime | None = None
    atoms: str = ""
    seen: bytes = b""
    kept: bool = False

    @property
    def key(self) -> bytes:
        return f"{self.name}\0{self.version}".encode()


def paired_with_previous(
    entries: Iterable[Candidate], previous: Edition | None, names: Collection[bytes] | None
) -> Iterator[tuple[Candidate, int | None]]:
    """Entries with their numbers in the previous edition, and what only that edition knows.

    The latter happens when the warehouse was rebuilt: those entries stay as tombstones. With
    `names` only entries of these servers are looked at.
    """
    if previous is None:
        yield from ((entry, None) for entry in entries)
        return
    numbers = (
        iter(range(previous.count))
        if names is None
        else (number for name in sorted(names) for number in previous.keys.of(name))
    )
    number = next(numbers, None)
    for entry in entries:
        while number is not None and previous.key(number) < entry.key:
            yield _forgotten(previous, number), number
            number = next(numbers, None)
        if number is not None and previous.key(number) == entry.key:
            yield entry, number
            number = next(numbers, None)
        else:
            yield entry, None
    while number is not None:
        yield _forgotten(previous, number), number
        number = next(numbers, None)


def _forgotten(previous: Edition, index: int) -> Candidate:
    name, version = previous.keys.pair(index)
    return forgotten(
        name,
        version,
        published_at=from_micros(int(previous.arrays["published"][index])),
        updated_at=from_micros(int(previous.arrays["updated"][index])),
    )


def forgotten(
    name: str, version: str, *, published_at: datetime, updated_at: datetime
) -> Candidate:
    """An entry that was shown once and that nobody knows any more: a tombstone."""
    return Candidate(
        name=name,
        version=version,
        admitted=False,
        rule="unknown",
        reason="it is no longer known upstream",
        status="deleted",
        is_latest=False,
        published_at=published_at,
        updated_at=updated_at,
        served=True,
    )
