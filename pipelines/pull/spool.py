"""Pages of a walk on disk until the walk is complete, so that a broken walk goes on where it broke.

One append-only file per upstream: for each page a line of facts with length and sha256, then the
bytes. A torn tail (a kill, a full disk) fails its sha256 and is cut off at the next start. A lock
beside it keeps a second walk of the same upstream out.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from connectors.upstreams.registry import RawPage
from pipelines.errors import Busy
from serve.disk import locked

_SYNC_EVERY = 1.0


class Kind(StrEnum):
    """A page of the walk, all versions of one name, or one version asked for by itself."""

    LIST = "list"
    VERSIONS = "versions"
    VERSION = "version"


@dataclass(frozen=True)
class SpooledPage:
    """A page as it came, and the number of the last commit before it was asked for."""

    body: bytes
    next_cursor: str | None
    asked_at: datetime
    after_commit: int
    stale: bool
    kind: Kind = Kind.LIST


@dataclass(frozen=True)
class Start:
    """What a walk was started for; a spool of another start is not resumed."""

    url: str
    walk_id: str
    since: str | None
    started_at: datetime


class Spool:
    """One spool of an upstream in `folder`. Made by `hold`, which owns the upstream's lock.

    Full walks have one of their own, so that the pulls in between do not end them.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.spool"
        self._file: BinaryIO | None = None
        self._synced = 0.0

    @classmethod
    @contextmanager
    def hold(cls, folder: Path) -> Iterator[tuple["Spool", "Spool"]]:
        """Own the upstream's walk: the spools of full and of incremental ones.

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

    def found(self) -> Start | None:
        """The start of a spool left behind, after cutting a torn tail; None without one."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            start = _read_start(file)
            end = file.tell()
            if start is not None:
                for _ in _read_pages(file):
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
        record = {
            "url": start.url,
            "walk_id": start.walk_id,
            "since": start.since,
            "started_at": start.started_at.isoformat(),
        }
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()

    def append(self, page: RawPage, *, after_commit: int, kind: Kind = Kind.LIST) -> None:
        if self._file is None:
            self._file = self._path.open("ab")
        facts = {
            "length": len(page.body),
            "sha256": hashlib.sha256(page.body).hexdigest(),
            "next": page.next_cursor,
            "asked_at": page.asked_at.isoformat(),
            "after_commit": after_commit,
            "stale": page.stale,
            "kind": kind,
        }
        self._file.write(json.dumps(facts).encode() + b"\n" + page.body + b"\n")
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def pages(self) -> Iterator[SpooledPage]:
        """All whole pages in the order they were appended."""
        with self._path.open("rb") as file:
            _read_start(file)
            yield from _read_pages(file)

    def clear(self) -> None:
        """Forget the walk: it is committed, or not worth going on with."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _read_start(file: BinaryIO) -> Start | None:
    record = _json_line(file)
    if record is None:
        return None
    try:
        return Start(
            record["url"],
            record["walk_id"],
            record["since"],
            datetime.fromisoformat(record["started_at"]).astimezone(UTC),
        )
    except (KeyError, ValueError, TypeError):
        return None


def _read_pages(file: BinaryIO) -> Iterator[SpooledPage]:
    while (facts := _json_line(file)) is not None:
        try:
            body = file.read(facts["length"])
            whole = hashlib.sha256(body).hexdigest() == facts["sha256"] and file.read(1) == b"\n"
            asked_at = datetime.fromisoformat(facts["asked_at"])
            page = SpooledPage(
                body,
                facts["next"],
                asked_at,
                facts["after_commit"],
                facts["stale"],
                Kind(facts["kind"]),
            )
        except (KeyError, ValueError, TypeError):
            return
        if not whole:
            return
        yield page


def _json_line(file: BinaryIO) -> dict[str, Any] | None:  # a line that this module wrote
    line = file.readline()
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
