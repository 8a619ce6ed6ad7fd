"""Common pages, compressed beforehand: the first pages of those walks that most readers do.

editions/ID/pages   a packed file: for each walk the entry numbers at which its pages start, and per
                    encoding the bodies end to end; then the SHA-256 of all that. It is made apart
                    from refreshes, for the live edition only; without it, pages are compressed
                    when they are first asked for.

Later pages are not made: one new entry moves all pages behind it, so the cost of making them would
follow the size of the feed.
"""

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from serve.api.answers import Answer
from serve.api.cursor import encode as encode_cursor
from serve.api.encodings import ENCODINGS, compressed, unpacked
from serve.disk import Piece, file_hash
from serve.edition.edition import Edition, Place, fitting
from serve.edition.layers import Array
from serve.edition.packed import PackedFile, write_packed
from serve.edition.selection import Selection
from serve.errors import EditionBroken

_WALKS = [(limit, Selection(latest=latest)) for latest in (False, True) for limit in (30, 100)]
_FIRST = 20
"""Pages of each walk that are made."""
_GZIP_LEVEL = 6
_DIGEST = hashlib.sha256().digest_size
_REMEDY = "remove it and run subregistry index"


class Pages:
    """The precompressed pages of an edition. Raises EditionBroken if the file is damaged."""

    def __init__(self, path: Path) -> None:
        file = PackedFile(path)
        data = memoryview(file.data)
        if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
            raise EditionBroken(f"{path} is not what was written; {_REMEDY}")
        self._walks = {
            walk: (
                file.array(f"{number}_start", "<u8"),
                {
                    encoding: file.strings(
                        f"{number}_{encoding}", file.array(f"{number}_{encoding}_end", "<u8")
                    )
                    for encoding in ENCODINGS
                },
            )
            for number, walk in enumerate(_WALKS)
        }

    def at(self, limit: int, selection: Selection, start: int) -> dict[str, Piece]:
        """The bodies of a page by encoding; empty if the page was not made."""
        stored = self._walks.get((limit, selection))
        if stored is None:
            return {}
        starts, bodies = stored
        place = int(np.searchsorted(starts, start))
        if place == len(starts) or starts[place] != start:
            return {}
        return {encoding: strings.view(place) for encoding, strings in bodies.items()}


def page_of(
    edition: Edition,
    selection: Selection,
    start: int,
    limit: int,
    *,
    pinned: str | None,
    began: int,
) -> tuple[Answer, int | None]:
    """A page of a list from a number on, and the number at which the next page starts, if any."""
    numbers = list(islice(edition.select(start, selection), limit))
    places, lasting = edition.places(numbers), selection.since is None
    fit = fitting(places)
    if len(numbers) < limit and fit == len(numbers):
        return _page(edition, places, None, lasting=lasting), None
    # A full page gets a cursor without looking further, so the page after it may be empty.
    last = numbers[fit - 1]
    cursor = encode_cursor(edition.key(last), selection, edition=pinned, sequence=began)
    return _page(edition, places[:fit], cursor, lasting=lasting), last + 1


def page(edition: Edition, numbers: list[int]) -> Answer:
    """Entries in the form of a list, all on one page."""
    return _page(edition, edition.places(numbers), None, lasting=True)


def _page(edition: Edition, places: list[Place], cursor: str | None, *, lasting: bool) -> Answer:
    metadata: dict[str, object] = {"count": len(places)}
    if cursor is not None:
        metadata = {"nextCursor": cursor, "count": len(places)}
    end = b'],"metadata":%b}\n' % msgspec.json.encode(metadata)
    pieces: tuple[Piece, ...] = (b'{"servers":[', *edition.listed(places), end)
    return Answer(200, pieces, edition=edition, lasting=lasting)


def walk(edition: Edition, limit: int, selection: Selection) -> Iterator[tuple[int, Answer]]:
    """Every page of a walk from the start, each with the entry number at which it starts."""
    start: int | None = 0
    began = edition.manifest.sequence
    while start is not None:
        at = start
        answer, start = page_of(edition, selection, at, limit, pinned=None, began=began)
        yield at, answer


def write_pages(edition: Edition) -> int:
    """Make the first pages of each walk of an edition; returns their size in bytes."""
    packed: dict[str, Array | bytes] = {}
    part = edition.folder / "pages.part"
    for number, (limit, selection) in enumerate(_WALKS):
        pages = list(islice(walk(edition, limit, selection), _FIRST))
        packed[f"{number}_start"] = np.array([start for start, _ in pages], dtype="<u8")
        for encoding in ENCODINGS:
            bodies = [compressed(answer.body, encoding, level=_GZIP_LEVEL) for _, answer in pages]
            packed[f"{number}_{encoding}"] = b"".join(bodies)
            ends = np.cumsum([len(body) for body in bodies], dtype="<u8")
            packed[f"{number}_{encoding}_end"] = ends
    write_packed(part, packed)
    digest = bytes.fromhex(file_hash(part))
    with part.open("ab") as output:
        output.write(digest)
        output.flush()
        os.fsync(output.fileno())
    # The data is on disk before the rename, so a crash never leaves a cut file under this name.
    part.replace(edition.folder / "pages")
    return (edition.folder / "pages").stat().st_size


def check_pages(edition: Edition, pages: Pages) -> Iterator[str]:
    """Compare the stored pages with the edition; yields what is wrong."""
    for limit, selection in _WALKS:
        for start, answer in islice(walk(edition, limit, selection), _FIRST):
            bodies = pages.at(limit, selection, start)
            if any(
                unpacked(bodies.get(encoding, b""), encoding) != answer.body
                for encoding in ENCODINGS
            ):
                yield f"the page of {limit} at entry {start} is not what the edition says"
