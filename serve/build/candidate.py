"""The input of a build: every known entry with its verdict, paired with the previous edition."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from serve.edition.edition import Edition
from serve.edition.selection import from_micros


@dataclass(frozen=True)
class Candidate:
    """An entry as curation left it. `server` and `meta` are upstream's bytes if it is admitted.

    `raw` is the whole entry; it is set only if upstream sent anything else than these two.
    `served`: an earlier edition showed the entry, even if that edition is gone. `held`: a cooldown
    holds it until `held_until`, or until its age is known. `atoms` and `seen` are for explanations.
    `kept`: nothing changed since the previous edition; the fields with JSON are then empty.
    `private`: unless the feed shows it or once did, its readers must not learn that it exists.
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
    private: bool = False

    @property
    def key(self) -> bytes:
        return f"{self.name}\0{self.version}".encode()


def paired_with_previous(
    entries: Iterable[Candidate], previous: Edition | None, names: Collection[bytes] | None
) -> Iterator[tuple[Candidate, int | None]]:
    """Pair entries with their numbers in the previous edition (a merge join of two sorted inputs).

    Entries that only the previous edition knows are added as tombstones; they occur after the
    warehouse was rebuilt. `names` limits the join to the entries of these servers.
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
        # Both inputs rise by key, so an entry of the previous edition that is smaller has no match.
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
    """A tombstone for an entry that was shown once and is no longer known."""
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
