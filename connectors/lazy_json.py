"""Lazy reading of untrusted JSON: only the needed parts are decoded.

Nothing here raises: a value of another shape counts as absent. Objects and arrays are cut into raw
members and items, so a huge string or number is skipped as bytes and never built.
"""

from typing import Any

import msgspec
from msgspec import Raw

_UNREADABLE = (ValueError, RecursionError)
_SMALL = 65536
_MANY = 600_000
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])


def members(raw: bytes | Raw | None) -> dict[str, Raw]:
    """The members of an object, still raw; empty for anything else, and above 600,000 commas."""
    # Only a whole document is counted; a Raw part lies within one that passed.
    if raw is None or (not isinstance(raw, Raw) and raw.count(b",") > _MANY):
        return {}
    try:
        return _members.decode(raw)
    except _UNREADABLE:
        return {}


def items(raw: bytes | Raw | None, cap: int = 50_000) -> list[Raw]:
    """The first `cap` items of an array, still raw; empty for anything else."""
    if raw is None:
        return []
    try:
        return _items.decode(raw)[:cap]
    except _UNREADABLE:
        return []


def is_array(raw: Raw | None) -> bool:
    return raw is not None and bytes(memoryview(raw)[:1]) == b"["


def small(raw: Raw | bytes | None) -> Any:  # any JSON value; its type is for the caller to check
    """A decoded value of at most 64 KiB; None for a larger one and for an unreadable one."""
    if raw is None:
        return None
    data = bytes(raw)
    if len(data) > _SMALL:
        return None
    try:
        return msgspec.json.decode(data)
    except _UNREADABLE:
        return None


def mapping(value: object) -> dict[str, Any]:  # a JSON object; its values are of any type
    """The value if it is a decoded object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def string(raw: Raw | bytes | None, cap: int = 4_000_000) -> str | None:
    """A string of at most `cap` bytes; a longer one is cut. Lone surrogates become U+FFFD."""
    if raw is None:
        return None
    data = bytes(raw)
    if not data.startswith(b'"'):
        return None
    if len(data) > cap:
        return _cut(data[:cap])
    try:
        return msgspec.json.decode(data, type=str)
    except _UNREADABLE:
        return _cut(data)


def _cut(data: bytes) -> str:
    """The text of a possibly cut JSON string; only one-character escapes are decoded."""
    text = data[1:].decode("utf-8", "replace").removesuffix('"')
    for escape, plain in (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ('\\"', '"'), ("\\/", "/")):
        text = text.replace(escape, plain)
    return text
