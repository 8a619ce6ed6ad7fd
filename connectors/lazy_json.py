"""Looking into JSON that anybody may have written, without building what is not needed.

Nothing here raises: what is not as expected is absent. Texts and numbers of a bomb are skipped as
bytes; objects come as their members, each still raw.
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
    """The members of an object; empty for anything else, and for a document of 600,000 commas."""
    if raw is None or (not isinstance(raw, Raw) and raw.count(b",") > _MANY):
        return {}
    try:
        return _members.decode(raw)
    except _UNREADABLE:
        return {}


def items(raw: bytes | Raw | None, cap: int = 50_000) -> list[Raw]:
    """The first `cap` items of an array; empty for anything else."""
    if raw is None:
        return []
    try:
        return _items.decode(raw)[:cap]
    except _UNREADABLE:
        return []


def is_array(raw: Raw | None) -> bool:
    return raw is not None and bytes(memoryview(raw)[:1]) == b"["


def small(raw: Raw | bytes | None) -> Any:  # any JSON value; its type is for the caller to check
    """A value of at most 64 KiB; None for a larger one and for what cannot be read."""
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
    """A built object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def string(raw: Raw | bytes | None, cap: int = 4_000_000) -> str | None:
    """A string of at most `cap` bytes, a longer one cut; lone surrogates become U+FFFD."""
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
    """The text of a JSON string's bytes as far as it goes, escapes of single characters read."""
    text = data[1:].decode("utf-8", "replace").removesuffix('"')
    for escape, plain in (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ('\\"', '"'), ("\\/", "/")):
        text = text.replace(escape, plain)
    return text
