"""The audit log: who did what by hand or by document, and why. Append-only, with a hash chain.

SUBREGISTRY_HOME/audit.jsonl   one JSON object per line; `chain` is the SHA-256 of the line before,
so a line that was changed or removed is detected
"""

import getpass
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from serve.disk import locked
from warehouse.operation import AuditHead


@dataclass(frozen=True)
class AuditEntry:
    """One action. `target` is a server, an edition or an overlay; `at` is RFC 3339."""

    at: str
    by: str
    action: str
    feed: str | None
    target: str
    reason: str
    chain: str


class AuditLog:
    """The audit log of one deployment."""

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
        """Append an action; it is on disk when this returns. `by` defaults to the system's user."""
        # Without the lock, two processes could chain their lines to the same last line.
        lock = locked(self._path.with_suffix(".lock"))
        with lock, self._path.open("a+b") as file:
            file.seek(0)
            last = b""
            for last in file:  # noqa: B007 - only the last line is needed
                pass
            chain = _link(last)
            at = self._now().isoformat()
            entry = AuditEntry(at, by or user(), action, feed, target, reason, chain)
            # A crash may have left a last line without its end; never append to that line.
            separator = b"" if not last or last.endswith(b"\n") else b"\n"
            line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":"))
            file.write(separator + line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def head(self) -> AuditHead:
        """How many lines there are, and the hash of the last one."""
        lines = self._lines()
        return AuditHead(len(lines), _link(lines[-1]) if lines else "")

    def _lines(self) -> list[bytes]:
        return self._path.read_bytes().splitlines() if self._path.exists() else []

    def read(self, heads: Sequence[AuditHead] = ()) -> tuple[list[AuditEntry], list[str]]:
        """Return all actions, oldest first, and the problems of the file: lines that cannot be
        read, or whose `chain` does not match the line before, or that are not as earlier runs found
        them (`heads`)."""
        entries, problems, before = [], [], b""
        lines = self._lines()
        for number, line in enumerate(lines, start=1):
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
            # Also for a broken line: `add` chained the next line to these very bytes.
            before = line
        for head in heads:
            if head.lines > len(lines):
                problems.append(
                    f"{self._path} has {len(lines)} lines and once had {head.lines}: its end was "
                    "cut off; compare it with a backup"
                )
            elif _link(lines[head.lines - 1]) != head.chain:
                problems.append(
                    f"line {head.lines} of {self._path} is not the one that a run found there; "
                    "compare it with a backup"
                )
        return entries, problems


def _link(line: bytes) -> str:
    """The `chain` of the line that comes after `line`."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def user() -> str:
    """The name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
