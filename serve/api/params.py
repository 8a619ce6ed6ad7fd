"""Query parameters of the read API, read as the official service reads them.

The first occurrence wins, `+` is a space, pairs with a broken escape and unknown names are ignored,
an empty value counts as absent. Values stay bytes until their type is known.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes

from serve.edition.selection import Selection, micros
from serve.routes import VERSIONS

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# 18 digits always fit in 64 bits.
_INTEGER = re.compile(rb"[+-]?[0-9]{1,18}")
# A space before the offset is a `+` that the client did not escape.
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+ -]\d\d:[0-5]\d)", re.ASCII
)
_PREFIXES = frozenset(version.encode() for version in VERSIONS)
_TRUE = {b"1", b"t", b"T", b"TRUE", b"true", b"True"}
_FALSE = {b"0", b"f", b"F", b"FALSE", b"false", b"False"}


class BadParameter(ValueError):
    """A parameter that cannot be used. `status` is 400 or 422; the rest goes into the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        location: str = "",
        value: object = None,
        message: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.location = location
        self.value = value
        self.message = message


MAX_SEARCH = 255
"""Bytes to search for."""


@dataclass(frozen=True)
class ListParameters:
    cursor: bytes
    limit: int
    selection: Selection


def beside_prefix(path: bytes) -> list[bytes]:
    """The segments of a raw path, without the API version that it may start with."""
    segments = [segment for segment in path.split(b"/") if segment]
    return segments[1:] if segments and segments[0] in _PREFIXES else segments


def read_query(raw: bytes) -> dict[str, bytes]:
    """The pairs of a raw query string. Raises BadParameter for a NUL, which no value contains."""
    if b"\0" in raw or b"%00" in raw:
        raise BadParameter(400, "the query contains a NUL byte")
    values: dict[str, bytes] = {}
    parts = raw.split(b"&")
    for index, part in enumerate(parts):
        key, equals, value = part.partition(b"=")
        if not key or _BROKEN_ESCAPE.search(part):
            continue
        if not equals and index == len(parts) - 1:
            value = b"true"  # `...&include_deleted`: a name alone at the very end
        name = unquote_to_bytes(key.replace(b"+", b" ")).decode("utf-8", "replace")
        values.setdefault(name, unquote_to_bytes(value.replace(b"+", b" ")))
    return values


def read_list(query: dict[str, bytes], *, skew: float) -> ListParameters:
    """The parameters of a list; `skew` seconds are subtracted from `updated_since`."""
    since = read_instant(query, "updated_since")
    deleted = _boolean(query, "include_deleted")
    if since is not None and deleted is False:
        raise BadParameter(400, "Cannot set include_deleted=false together with updated_since")
    version, search = query.get("version", b""), query.get("search", b"")
    if len(search) > MAX_SEARCH:
        raise BadParameter(400, f"search has more than {MAX_SEARCH} bytes; use a part of the name")
    return ListParameters(
        cursor=query.get("cursor", b""),
        limit=read_limit(query),
        selection=Selection(
            latest=version == b"latest",
            version=version if version not in (b"", b"latest") else None,
            since=since - int(skew * 1_000_000) if since is not None else None,
            include_deleted=bool(deleted) or since is not None,
            search=search.lower(),
        ),
    )


def read_flag(query: dict[str, bytes], name: str) -> bool:
    """A boolean parameter; False if it is absent."""
    return bool(_boolean(query, name))


def read_instant(query: dict[str, bytes], name: str) -> int | None:
    """An instant in microseconds since 1970; None if it is absent."""
    value = query.get(name, b"")
    return _instant(value, name) if value else None


def read_sequence(query: dict[str, bytes]) -> int:
    """`since_sequence`; 0 if it is absent."""
    return read_least(query, "since_sequence")


def read_least(query: dict[str, bytes], name: str) -> int:
    """A lower bound, 0 or more; 0 if it is absent."""
    value = query.get(name, b"")
    if value and not _INTEGER.fullmatch(value):
        raise _invalid(name, value.decode("utf-8", "replace"), "invalid integer")
    number = int(value or 0)
    if number < 0:
        raise _invalid(name, number, "expected number >= 0")
    return number


def read_limit(query: dict[str, bytes]) -> int:
    """`limit`: 1 to 100; 30 if it is absent."""
    value = query.get("limit", b"")
    if not value:
        return 30
    if not _INTEGER.fullmatch(value):
        raise _invalid("limit", value.decode("utf-8", "replace"), "invalid integer")
    limit = int(value)
    if limit < 1:
        raise _invalid("limit", limit, "expected number >= 1")
    if limit > 100:
        raise _invalid("limit", limit, "expected number <= 100")
    return limit


def _boolean(query: dict[str, bytes], name: str) -> bool | None:
    value = query.get(name, b"")
    if not value:
        return None
    if value not in _TRUE | _FALSE:
        raise _invalid(name, value.decode("utf-8", "replace"), "invalid boolean")
    return value in _TRUE


def _instant(value: bytes, name: str) -> int:
    """Read an instant as microseconds since 1970; digits beyond microseconds are cut off."""
    match = _INSTANT.fullmatch(value.decode("utf-8", "replace"))
    if match:
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        zone = match[8]
        offset = timedelta()
        if zone != "Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            offset = -offset if zone[0] == "-" else offset
        try:
            at = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
            return micros(at.astimezone(UTC)) + int((match[7] or "0")[:6].ljust(6, "0"))
        except (ValueError, OverflowError):
            pass
    raise BadParameter(
        400, f"Invalid {name} format: expected RFC3339 timestamp (2025-08-07T13:15:04.280Z)"
    )


def _invalid(name: str, value: object, message: str) -> BadParameter:
    return BadParameter(
        422, "validation failed", location=f"query.{name}", value=value, message=message
    )
