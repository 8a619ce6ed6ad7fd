"""The model of the tests: the read API of a registry, written plainly over a list of entries.

It shares no code with `serve`; the tests compare what both answer. Cursors are opaque, so the model
remembers what each cursor that it saw stands for.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote_to_bytes

Json = dict[str, Any]  # decoded answers
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?"
    # A raw `+` in a query decodes to a space.
    r"(?:Z|([+ -])(\d\d):([0-5]\d))",
    re.ASCII,
)


@dataclass(frozen=True)
class Known:
    """One entry of the feed: its served JSON, and the fields that filters read."""

    name: str
    version: str
    body: Json
    latest: bool
    deleted: bool
    published: datetime
    updated: datetime
    changed: datetime

    @property
    def key(self) -> tuple[bytes, bytes]:
        return self.name.encode(), self.version.encode()


@dataclass(frozen=True)
class Filters:
    since: datetime | None
    version: bytes
    deleted: bool
    search: bytes


@dataclass(frozen=True)
class Said:
    """A status; for 200 also the entries and the place where the list continues (None: it ends)."""

    status: int
    entries: tuple[Known, ...] = ()
    place: tuple[tuple[bytes, bytes], Filters] | None = None


class Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@dataclass
class Model:
    """Answers GET requests for raw targets below the base path."""

    entries: list[Known]
    skew: timedelta
    cursors: dict[str, tuple[tuple[bytes, bytes], Filters]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = sorted(self.entries, key=lambda entry: entry.key)

    def answer(self, target: str) -> Said:
        path, _, raw = target.partition("?")
        # The limit counts path and query, without the question mark.
        if len(target) - (1 if raw else 0) > 16_384:
            return Said(414)
        parts = [part for part in path.split("/") if part]
        if parts and parts[0] in ("v0", "v0.1"):
            parts = parts[1:]
        if not parts or parts[0] != "servers":
            return Said(404)
        if "%00" in path or "\0" in path:
            return Said(400)
        try:
            query = self._query(raw)
            if len(parts) == 1:
                return self._list(query)
            return self._lookup(parts[1:], self._boolean(query, "include_deleted") is True)
        except Refused as error:
            return Said(error.status)

    def _query(self, raw: str) -> dict[str, bytes]:
        if "%00" in raw:
            raise Refused(400)
        values: dict[str, bytes] = {}
        pairs = raw.split("&")
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if re.search(r"%(?![0-9a-fA-F]{2})", pair) or not name:
                continue
            # Only a last name without `=` counts as true.
            if not equals and pair is pairs[-1]:
                value = "true"
            decoded = unquote_to_bytes(name.replace("+", " ")).decode("utf-8", "replace")
            # The first of several values counts.
            if decoded not in values:
                values[decoded] = unquote_to_bytes(value.replace("+", " "))
        return {name: value for name, value in values.items() if value}

    def _boolean(self, query: dict[str, bytes], name: str) -> bool | None:
        if name not in query:
            return None
        text = query[name].decode("utf-8", "replace")
        if text not in _TRUE | _FALSE:
            raise Refused(422)
        return text in _TRUE

    def _list(self, query: dict[str, bytes]) -> Said:
        since = self._instant(query["updated_since"]) if "updated_since" in query else None
        deleted = self._boolean(query, "include_deleted")
        if since and deleted is False:
            raise Refused(400)
        if len(query.get("search", b"")) > 255:
            raise Refused(400)
        limit = 30
        if "limit" in query:
            if not re.fullmatch(rb"[+-]?\d{1,18}", query["limit"]):
                raise Refused(422)
            limit = int(query["limit"])
        if not 1 <= limit <= 100:
            raise Refused(422)
        filters = Filters(
            since - self.skew if since else None,
            query.get("version", b""),
            bool(deleted or since),
            query.get("search", b"").lower(),
        )
        behind: tuple[bytes, bytes] | None = None
        if cursor := query.get("cursor"):
            ours = self.cursors.get(cursor.decode("latin-1"))
            if ours:
                behind, filters = ours
            # The model remembers every valid cursor of ours, so any other is damaged.
            elif re.match(rb"sr\d+_", cursor):
                raise Refused(400)
            elif b":" in cursor:
                name, _, version = cursor.partition(b":")
                behind = name, version
            else:
                # A bare name: continue behind all of its versions.
                behind = cursor, b"\xff" * 300
        page = [
            entry
            for entry in self.entries
            if (behind is None or entry.key > behind) and self._matches(entry, filters)
        ][:limit]
        place = (page[-1].key, filters) if len(page) == limit else None
        return Said(200, tuple(page), place)

    def _matches(self, entry: Known, wanted: Filters) -> bool:
        if entry.deleted and not wanted.deleted:
            return False
        if wanted.version == b"latest" and not entry.latest:
            return False
        if wanted.version not in (b"", b"latest", entry.version.encode()):
            return False
        if wanted.since and not max(entry.updated, entry.changed) > wanted.since:
            return False
        return wanted.search in entry.name.encode().lower()

    def _lookup(self, parts: list[str], deleted: bool) -> Said:
        # A name holds a slash, so `versions` without one before it is part of the name. A version
        # may be called `versions` too, so the route of one version comes first.
        wanted, version = "/".join(parts), "latest"
        if len(parts) > 2 and parts[-2] == "versions" and "/" in _decoded("/".join(parts[:-2]))[-1]:
            wanted, version = "/".join(parts[:-2]), parts[-1]
        elif (
            len(parts) > 1 and parts[-1] == "versions" and "/" in _decoded("/".join(parts[:-1]))[-1]
        ):
            wanted, version = "/".join(parts[:-1]), ""
        for name in _decoded(wanted):
            own = [entry for entry in self.entries if entry.name == name]
            shown = [entry for entry in own if deleted or not entry.deleted]
            if not version:
                if shown:
                    shown.sort(key=lambda entry: entry.published, reverse=True)
                    return Said(200, tuple(shown))
                continue
            for exact in _decoded(version):
                for entry in shown:
                    if entry.latest if exact == "latest" else entry.version == exact:
                        return Said(200, (entry,))
        return Said(404)

    def _instant(self, value: bytes) -> datetime:
        match = _RFC3339.fullmatch(value.decode("utf-8", "replace"))
        if not match:
            raise Refused(400)
        *date, fraction, sign, hours, minutes = match.groups()
        offset = timedelta()
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
        try:
            zone = timezone(-offset if sign == "-" else offset)
            at = datetime(*map(int, date), tzinfo=zone).astimezone(UTC)  # type: ignore[misc,arg-type]
        except (ValueError, OverflowError):
            raise Refused(400) from None
        return replace_micros(at, fraction)


def replace_micros(at: datetime, fraction: str | None) -> datetime:
    return at.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")))


def _decoded(raw: str) -> list[str]:
    """A path part decoded once and decoded twice."""
    once = unquote_to_bytes(raw)
    return [data.decode("utf-8", "surrogateescape") for data in (once, unquote_to_bytes(once))]
