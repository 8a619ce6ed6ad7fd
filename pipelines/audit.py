"""The audit log: who did what by hand or by document, and why. Lines are only ever added.

SUBREGISTRY_HOME/audit.jsonl   one JSON object a line; `chain` is the SHA-256 of the line before it,
so that a line that was changed or taken out shows
"""

import getpass
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from serve.disk import locked


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
        lock = locked(self._path.with_suffix(".lock"))
        with lock, self._path.open("a+b") as file:
            file.seek(0)
            last = b""
            for last in file:  # noqa: B007 - the last line is wanted
                pass
            chain = _link(last)
            at = self._now().isoformat()
            entry = AuditEntry(at, by or user(), action, feed, target, reason, chain)
            broken = b"" if not last or last.endswith(b"\n") else b"\n"
            line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
            file.write(broken + line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[list[AuditEntry], list[str]]:
        """Every act, oldest first, and what is wrong with the file: lines that are not what was
        written, or do not follow from the one before."""
        entries, problems, before = [], [], b""
        data = self._path.read_bytes() if self._path.exists() else b""
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                entry = AuditEntry(**json.loads(line))
            except (ValueError, TypeError):
                problems.append(f"line {number} of {self._path} was cut short or changed")
            else:
                entries.append(entry)
                if entry.chain != _link(before):
                    problems.append(
                        f"line {number} of {self._path} does not follow from the line before: one "
                        "of them was changed, or one was taken out; compare it with a backup"
                    )
            before = line
        return entries, problems


def _link(line: bytes) -> str:
    """What the line after a line says of it."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
