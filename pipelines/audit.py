"""The audit log: who did what by hand or by document, and why. Lines are only ever added.

SUBREGISTRY_HOME/audit.jsonl   one JSON object a line; `chain` is the SHA-256 of the line before it,
so that a line that was changed or taken out shows
"""

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pipelines.errors import StepError


@dataclass(frozen=True)
class AuditEntry:
    """One act. `target` is a server, an edition or an overlay; `at` is RFC 3339."""

    at: str
    by: str
    action: str
    feed: str | None
    target: str
    reason: str
    chain: str


class AuditLog:
    """The log of one deployment."""

    def __init__(self, path: Path, *, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now

    def add(
        self,
        action: str,
        target: str,
        *,
        reason: str,
        feed: str | None = None,
        by: str | None = None,
    ) -> None:
        """Append an act; it is on disk when this returns. `by` is by default the system's user."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            last = b""
            for last in file:  # noqa: B007 - the last line is wanted
                pass
            chain = hashlib.sha256(last).hexdigest()
            at = self._now().isoformat()
            entry = AuditEntry(at, by or user(), action, feed, target, reason, chain)
            broken = b"" if not last or last.endswith(b"\n") else b"\n"
            line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
            file.write(broken + line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Iterator[AuditEntry]:
        """Every act, oldest first. Raises StepError where a line is not what was written."""
        if not self._path.exists():
            return
        before = b""
        for number, line in enumerate(self._path.read_bytes().splitlines(keepends=True), start=1):
            try:
                entry = AuditEntry(**json.loads(line))
            except (ValueError, TypeError):
                entry = None
            if entry is None or entry.chain != hashlib.sha256(before).hexdigest():
                raise StepError(
                    f"{self._path}, line {number}: it does not follow from the line before: one of "
                    "them was changed, cut short or taken out; compare it with a backup"
                )
            yield entry
            before = line


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
