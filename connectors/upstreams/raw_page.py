"""One list answer as bytes, and whether it stands where a page of the official registry must stand.

Keys rise strictly from page to page, no cursor repeats or skips, and no page lacks what the answer
before it showed.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from connectors.errors import MalformedPage
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.page import EntryHead

# The official registry's cursors are NAME:VERSION.
_NAMES_AN_ENTRY = re.compile(r"[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]*/[^:]*(:.*)?", re.DOTALL)

Key = tuple[bytes, bytes]
"""Name and version of an entry."""


@dataclass(frozen=True)
class RawPage:
    """One list answer: its entries as bytes, what the next request needs, and when it was asked.

    `heads` are read once, in the order of the entries. `asked_at` is on upstream's clock: its Date
    header minus the duration of the request and one second. `stale`: an old copy, either marked by
    an edge cache or shown by an entry that it lacks.
    """

    url: str
    entries: tuple[bytes, ...]
    heads: tuple[EntryHead | None, ...]
    next_cursor: str | None
    asked_at: datetime
    stale: bool
    has_metadata: bool = True

    @property
    def keys(self) -> list[Key | None]:
        """Name and version of each entry as bytes, as upstream sorts; None where unreadable."""
        return [_key(head) if head else None for head in self.heads]


def refuse_repeated(page: RawPage, cursor: str, seen: Container[str | None]) -> None:
    if cursor in seen:
        raise MalformedPage(f"{page.url} names the cursor {cursor!r} twice", url=page.url)


def left_over(first: RawPage, page: RawPage) -> Key | None:
    """The last entry of the first answer for a page, if `page` leaves it for the next page."""
    if page is first or not first.entries:
        return None
    last = first.keys[-1]
    return None if last in page.keys else last


def _key(entry: EntryHead | Entry) -> Key:
    return entry.name.encode(), entry.version.encode()


def check_cursor(page: RawPage) -> None:
    """A cursor that names an entry, as the official registry's do, must name the page's last one.

    A later one would skip entries in between. Raises MalformedPage.
    """
    cursor = page.next_cursor
    if cursor is None or not page.entries or not _NAMES_AN_ENTRY.fullmatch(cursor):
        return
    last = page.keys[-1]
    name, _, version = cursor.partition(":")
    if last is not None and (name.encode(), version.encode()) > last:
        raise MalformedPage(
            f"{page.url} ends with {last!r} and goes on behind {cursor!r}, which would skip what "
            "lies between; the walk was stopped",
            url=page.url,
        )


def risen(page: RawPage, last: Key | None) -> Key | None:
    """Check that a page lies behind the last one and rises; return its last readable key.

    A key that is twice on one page is a matter of its records, not of the walk.
    """
    keys = [key for key in page.keys if key is not None]
    # Keys of otherwise unreadable records prove nothing.
    odd_end = bool(page.entries) and not isinstance(read_entry(page.entries[-1]), Entry)
    if odd_end or not _rises(keys, last):
        keys = [_key(entry) for entry in map(read_entry, page.entries) if isinstance(entry, Entry)]
        if not _rises(keys, last):
            raise MalformedPage(
                f"{page.url} repeats or goes back: {keys[0]!r} after {last!r}, or within itself; "
                'the walk was stopped; a registry in another order needs "kind": "registry"',
                url=page.url,
            )
    return keys[-1] if keys else last


def _rises(keys: list[Key], last: Key | None) -> bool:
    return (last is None or not keys or keys[0] > last) and all(a <= b for a, b in pairwise(keys))
