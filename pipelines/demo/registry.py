"""An in-memory registry that behaves like the official one and plays a scripted history.

Publishing, status changes, latest flags and the read API follow the rules of the official service.
No rule of our own line is used here.
"""

import bisect
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from semver import Version

from pipelines.demo.loopback import Reply, Request

OFFICIAL = "io.modelcontextprotocol.registry/official"
Json = dict[str, Any]  # a server.json as a publisher wrote it
Key = tuple[str, str]


@dataclass(frozen=True)
class Row:
    server: Json
    status: str
    published_at: datetime
    updated_at: datetime
    status_changed_at: datetime | None
    is_latest: bool
    status_message: str | None = None

    def encode(self) -> bytes:
        official: Json = {"status": self.status}
        if self.status_changed_at is not None:
            official["statusChangedAt"] = instant(self.status_changed_at)
        if self.status_message:
            official["statusMessage"] = self.status_message
        official["publishedAt"] = instant(self.published_at)
        official["updatedAt"] = instant(self.updated_at)
        official["isLatest"] = self.is_latest
        return _json({"server": self.server, "_meta": {OFFICIAL: official}})


class ScriptedRegistry:
    """Rows by (name, version), sorted by bytes; every change is atomic for readers."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}
        self._bodies: dict[Key, bytes] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._sorted: list[tuple[bytes, bytes]] | None = None
        self._updated: list[tuple[datetime, Key]] | None = None
        self._lock = threading.RLock()
        self.page_cap = 100

    def rows(self) -> dict[Key, Row]:
        """A copy of the present state."""
        with self._lock:
            return dict(self._rows)

    def put(self, row: Row) -> None:
        """Store a row as it is, to load a recording or to change data outside the API."""
        with self._lock:
            key = (row.server["name"], row.server["version"])
            if key not in self._rows:
                self._names.setdefault(key[0], {})[key[1]] = None
                if self._sorted is not None:
                    bisect.insort(self._sorted, (key[0].encode(), key[1].encode()))
            if self._updated is not None:
                # Old instants of the row stay in the list; `_is_at` filters them out.
                bisect.insort(self._updated, (row.updated_at, key))
            self._rows[key] = row
            self._bodies.pop(key, None)

    def spoil(self, key: Key, body: bytes) -> None:
        """Send these bytes as an entry until its row changes."""
        with self._lock:
            self._bodies[key] = body

    def remove(self, key: Key) -> None:
        """Delete a row permanently; the official service does this only by hand."""
        with self._lock:
            del self._rows[key]
            del self._names[key[0]][key[1]]
            self._bodies.pop(key, None)
            self._sorted = None

    def publish(self, server: Json, at: datetime) -> None:
        """Add a version; it becomes the latest one if it is greater than the latest one so far."""
        with self._lock:
            latest = next((row for row in self._of(server["name"]) if row.is_latest), None)
            wins = latest is None or _greater(server["version"], at, latest)
            if latest is not None and wins:
                self.put(replace(latest, is_latest=False))
            self.put(Row(server, "active", at, at, at, wins))

    def set_status(
        self, name: str, versions: Iterable[str] | None, status: str, message: str, at: datetime
    ) -> None:
        """Change the status of some versions, or of all (None), at one instant.

        Rows that have the status already do not change; if no row changes, nothing happens.
        """
        wanted = None if versions is None else set(versions)
        touched = False
        with self._lock:
            for row in self._of(name):
                chosen = wanted is None or row.server["version"] in wanted
                if chosen and (row.status, row.status_message or "") != (status, message):
                    changed = replace(row, status=status, status_message=message or None)
                    self.put(replace(changed, updated_at=at, status_changed_at=at))
                    touched = True
            if touched:
                self._choose_latest(name)

    def edit(self, key: Key, server: Json, at: datetime | None) -> None:
        """Change the content of a row; without `at` silently, like the official data fixes."""
        with self._lock:
            row = self._rows[key]
            self.put(replace(row, server=server, updated_at=at or row.updated_at))

    def _of(self, name: str) -> list[Row]:
        return [self._rows[name, version] for version in self._names.get(name, ())]

    def _choose_latest(self, name: str) -> None:
        rows = sorted(self._of(name), key=lambda row: row.published_at, reverse=True)
        best: Row | None = None
        # Deleted versions count only if every version is deleted.
        for row in [row for row in rows if row.status != "deleted"] or rows:
            version = row.server["version"]
            if best is None or _greater(version, row.published_at, best):
                best = row
        for row in rows:
            if row.is_latest != (row is best):
                self.put(replace(row, is_latest=row is best))

    # -- the read API ------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer a request to the read API as the official service does."""
        parts = urlsplit(request.target)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        segments = [unquote(part) for part in parts.path.strip("/").split("/")]
        with self._lock:
            match segments:
                case ["v0" | "v0.1", "servers"]:
                    return self._list(query)
                case ["v0" | "v0.1", "servers", name, "versions"]:
                    return self._versions(name, query)
                case ["v0" | "v0.1", "servers", name, "versions", version]:
                    return self._version(name, version, query)
        return _problem(404, "Not Found", "Endpoint not found.")

    def _list(self, query: Mapping[str, str]) -> Reply:
        try:
            limit = int(query.get("limit", "30"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= 100:
            return _problem(422, "Unprocessable Entity", "validation failed")
        since: datetime | None = None
        if "updated_since" in query:
            try:
                since = datetime.fromisoformat(query["updated_since"])
            except ValueError:
                return _problem(400, "Bad Request", "Invalid updated_since format")
        limit = min(limit, self.page_cap)
        # With updated_since, deleted entries are always shown.
        deleted = since is not None or query.get("include_deleted") == "true"
        page: list[Key] = []
        keys = self._keys() if since is None else self._changed(since)
        for index in range(_after(keys, query.get("cursor", "")), len(keys)):
            key = (keys[index][0].decode(), keys[index][1].decode())
            row = self._rows[key]
            if row.status == "deleted" and not deleted:
                continue
            if since is not None and row.updated_at <= since:
                continue
            if query.get("version") == "latest" and not row.is_latest:
                continue
            page.append(key)
            if len(page) == limit:
                break
        # A full page has a cursor even if nothing follows.
        cursor = ":".join(page[-1]) if len(page) == limit else None
        return self._page(page, cursor)

    def _versions(self, name: str, query: Mapping[str, str]) -> Reply:
        deleted = query.get("include_deleted") == "true"
        rows = [row for row in self._of(name) if deleted or row.status != "deleted"]
        if not rows:
            return _problem(404, "Not Found", "Server not found")
        rows.sort(key=lambda row: row.published_at, reverse=True)
        return self._page([(name, row.server["version"]) for row in rows], None)

    def _version(self, name: str, version: str, query: Mapping[str, str]) -> Reply:
        if version == "latest":
            version = next((row.server["version"] for row in self._of(name) if row.is_latest), "")
        row = self._rows.get((name, version))
        if row is None or (row.status == "deleted" and query.get("include_deleted") != "true"):
            return _problem(404, "Not Found", "Server not found")
        return _ok(self.body((name, version)) + b"\n")

    def _page(self, keys: list[Key], cursor: str | None) -> Reply:
        metadata: Json = {"nextCursor": cursor} if cursor else {}
        metadata["count"] = len(keys)
        servers = b",".join(map(self.body, keys))
        return _ok(b'{"servers":[%b],"metadata":%b}\n' % (servers, _json(metadata)))

    def body(self, key: Key) -> bytes:
        """The bytes of an entry as they are sent."""
        if key not in self._bodies:
            self._bodies[key] = self._rows[key].encode()
        return self._bodies[key]

    def _changed(self, since: datetime) -> list[tuple[bytes, bytes]]:
        """Sorted keys of rows that changed after an instant."""
        if self._updated is None:
            self._updated = sorted((row.updated_at, key) for key, row in self._rows.items())
        start = bisect.bisect_right(self._updated, since, key=lambda item: item[0])
        keys = {key for at, key in self._updated[start:] if self._is_at(key, at)}
        return sorted((name.encode(), version.encode()) for name, version in keys)

    def _is_at(self, key: Key, at: datetime) -> bool:
        row = self._rows.get(key)
        return row is not None and row.updated_at == at

    def _keys(self) -> list[tuple[bytes, bytes]]:
        if self._sorted is None:
            self._sorted = sorted((name.encode(), version.encode()) for name, version in self._rows)
        return self._sorted


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, without trailing zeros in the fraction, as in the official service."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def _after(keys: list[tuple[bytes, bytes]], cursor: str) -> int:
    if not cursor:
        return 0
    name, colon, version = cursor.partition(":")
    if colon:
        return bisect.bisect_right(keys, (name.encode(), version.encode()))
    # A cursor without a version: name + NUL sorts behind all versions of the name.
    return bisect.bisect_left(keys, (name.encode() + b"\0", b""))


def _greater(version: str, published_at: datetime, than: Row) -> bool:
    """Whether a version is greater than a row's: by semver precedence; semver beats other forms;
    two other forms compare by time."""
    mine, theirs = _semver(version), _semver(than.server["version"])
    if mine is not None and theirs is not None:
        return mine.compare(theirs) > 0
    if mine is None and theirs is None:
        return published_at > than.published_at
    return mine is not None


def _semver(version: str) -> Version | None:
    try:
        return Version.parse(version.removeprefix("v")).replace(build=None)
    except ValueError:
        return None


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _ok(body: bytes) -> Reply:
    return Reply(200, body, {"Content-Type": "application/json", "Vary": "Origin"})


def _problem(status: int, title: str, detail: str) -> Reply:
    body = _json({"title": title, "status": status, "detail": detail})
    return Reply(status, body, {"Content-Type": "application/problem+json"})
