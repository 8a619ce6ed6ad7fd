"""The spool: an append-only log of a walk's pages, so that a broken walk resumes where it stopped.

Two files per upstream, for full and incremental walks: for each page a JSON line with lengths and
sha256, then its entries end to end. The heads that were parsed on arrival are kept too. A torn tail
(a kill, a full disk) fails its sha256 and is cut off at the next start. A lock file keeps other
walks of the same upstream out.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from connectors.upstreams.kinds import Kind
from connectors.upstreams.page import EntryHead
from connectors.upstreams.raw_page import RawPage
from pipelines.errors import Busy, OutOfResources
from serve.disk import locked
from warehouse.database.sizes import format_size

LARGEST, RESERVE = 16_000_000_000, 256_000_000
"""Bytes of one walk, and bytes of the disk that a walk leaves free."""
_SYNC_EVERY = 1.0  # seconds between two fsyncs, which are slow

Line = TypeVar("Line", bound=msgspec.Struct)


class PageKind(StrEnum):
    """A page of the walk, all versions of one name, or a single version."""

    LIST = "list"
    VERSIONS = "versions"
    VERSION = "version"


@dataclass(frozen=True)
class SpooledPage:
    """A page's entries as they came, and the number of the last commit before its request."""

    entries: tuple[bytes, ...]
    heads: tuple[EntryHead | None, ...]
    next_cursor: str | None
    asked_at: datetime
    after_commit: int
    stale: bool
    kind: PageKind = PageKind.LIST
    has_metadata: bool = True


class _PageFacts(msgspec.Struct, frozen=True):
    lengths: list[int]
    sha256: str
    heads: tuple[EntryHead | None, ...]
    next_cursor: str | None
    asked_at: datetime
    after_commit: int
    stale: bool
    kind: PageKind
    has_metadata: bool = True


class Start(msgspec.Struct, frozen=True):
    """How a walk was started; a spool with another start is not resumed.

    `kind` is what the registry was read as, None as long as its first page was to tell.
    """

    url: str
    walk_id: str
    since: str | None
    started_at: datetime
    kind: Kind | None = None


class Spool:
    """One spool of an upstream in `folder`. `hold` creates it and owns the upstream's lock.

    Full walks have their own spool, so that pulls in between do not discard them.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.spool"
        self._file: BinaryIO | None = None
        self._synced = 0.0

    @classmethod
    @contextmanager
    def hold(cls, folder: Path) -> Iterator[tuple["Spool", "Spool"]]:
        """Lock an upstream; yield its spools for full and for incremental walks.

        Raises Busy if another process (or thread) owns it.
        """
        busy = Busy(f"another walk of this upstream is under way ({folder}); try again later")
        with locked(folder / "lock", busy=busy):
            spools = cls(folder, "full"), cls(folder, "incremental")
            try:
                yield spools
            finally:
                for spool in spools:
                    spool.close()

    def left_behind(self) -> Start | None:
        """The start of a spool left behind, after cutting its torn tail; None if there is none."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            start = _read_start(file)
            end = file.tell()
            if start is not None:
                for _ in _read_pages(file):  # yields whole pages only
                    end = file.tell()
        if start is None:
            self._path.unlink()
            return None
        os.truncate(self._path, end)
        return start

    def begin(self, start: Start) -> None:
        """Start a new spool in place of any old one."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._file = self._path.open("ab")
        self._file.write(msgspec.json.encode(start) + b"\n")
        self._file.flush()

    def append(self, page: RawPage, *, after_commit: int, kind: PageKind = PageKind.LIST) -> None:
        """Add a page. Raises OutOfResources if the walk becomes too large, or the disk too full."""
        if self._file is None:
            self._file = self._path.open("ab")
        if self._file.tell() > LARGEST:
            raise OutOfResources(
                f"the walk in {self._path} has more than {format_size(LARGEST)}: upstream sends "
                "without end; see subregistry doctor. Nothing was changed"
            )
        entries = b"".join(page.entries)
        facts = _PageFacts(
            lengths=[len(entry) for entry in page.entries],
            sha256=hashlib.sha256(entries).hexdigest(),
            heads=page.heads,
            next_cursor=page.next_cursor,
            asked_at=page.asked_at,
            after_commit=after_commit,
            stale=page.stale,
            kind=kind,
            has_metadata=page.has_metadata,
        )
        self._file.write(msgspec.json.encode(facts) + b"\n" + entries + b"\n")
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        if self._file is None:
            return
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()
        free = shutil.disk_usage(self._path.parent).free
        if free < RESERVE:
            raise OutOfResources(
                f"only {format_size(free)} are free at {self._path.parent}: the walk was stopped "
                "before the disk is full. Make room and run the same command again: a full walk "
                "goes on where it was"
            )

    def pages(self) -> Iterator[SpooledPage]:
        """All whole pages in the order they were appended."""
        with self._path.open("rb") as file:
            _read_start(file)
            yield from _read_pages(file)

    def clear(self) -> None:
        """Delete the spool: its walk is committed, or not worth resuming."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _read_start(file: BinaryIO) -> Start | None:
    return _line(file, Start)


def _read_pages(file: BinaryIO) -> Iterator[SpooledPage]:
    while (facts := _line(file, _PageFacts)) is not None:
        data = file.read(sum(facts.lengths))
        if hashlib.sha256(data).hexdigest() != facts.sha256 or file.read(1) != b"\n":
            return
        ends = list(accumulate(facts.lengths, initial=0))
        yield SpooledPage(
            tuple(data[start:end] for start, end in pairwise(ends)),
            facts.heads,
            facts.next_cursor,
            facts.asked_at,
            facts.after_commit,
            facts.stale,
            facts.kind,
            facts.has_metadata,
        )


def _line(file: BinaryIO, kind: type[Line]) -> Line | None:
    """The next line as JSON; None at the end, and for a line that is torn or in another format."""
    line = file.readline()
    try:
        # A line without its end may be whole all the same, but nothing can be appended to it.
        return msgspec.json.decode(line, type=kind) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
