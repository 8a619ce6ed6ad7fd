"""Cursors: ours carries the position and the filters, upstream's `name:version` is understood.

Ours is `sr1_` and base64url of position, filters and a checksum, because some clients send a cursor
unescaped and drop the filters after the first page.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass

import msgspec

from serve.edition import Selection

_PREFIX = "sr1_"
_BROKEN = "the cursor is broken; start the list again without one"


class CursorBroken(ValueError):
    pass


class _Payload(msgspec.Struct, array_like=True):
    key: bytes
    latest: bool
    version: bytes | None
    since: int | None
    include_deleted: bool
    search: bytes


@dataclass(frozen=True)
class Position:
    """Where a list goes on: behind `key`; `selection` is None for a cursor without filters."""

    key: bytes
    selection: Selection | None


def encode(key: bytes, wanted: Selection) -> str:
    data = msgspec.msgpack.encode(
        _Payload(
            key, wanted.latest, wanted.version, wanted.since, wanted.include_deleted, wanted.search
        )
    )
    check = zlib.crc32(data).to_bytes(4, "big")
    return _PREFIX + base64.urlsafe_b64encode(check + data).rstrip(b"=").decode()


def decode(cursor: bytes) -> Position:
    """Raises CursorBroken for one of ours that was cut or changed; others are upstream's."""
    if not cursor.startswith(_PREFIX.encode()):
        name, colon, version = cursor.partition(b":")
        return Position(b"%b\0%b" % (name, version) if colon else name, None)
    text = cursor[len(_PREFIX) :]
    try:
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.msgpack.decode(raw[4:], type=_Payload)
        whole = zlib.crc32(raw[4:]).to_bytes(4, "big") == raw[:4]
    except (binascii.Error, msgspec.DecodeError) as error:
        raise CursorBroken(_BROKEN) from error
    if not whole:
        raise CursorBroken(_BROKEN)
    return Position(
        found.key,
        Selection(found.latest, found.version, found.since, found.include_deleted, found.search),
    )
