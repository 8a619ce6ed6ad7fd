"""Cursors: ours carries the position and the filters, upstream's `name:version` is understood.

Ours is `sr2_` and base64url of position, filters and a checksum, because some clients send a cursor
unescaped and drop the filters after the first page. It also names the edition that was asked for,
or the sequence of the one in which the walk began.
"""

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from serve.edition.selection import Selection

_PREFIX = b"sr2_"
_OURS = re.compile(rb"sr\d+_")
_BROKEN = "the cursor is broken; start the list again without one"


Payload = TypeVar("Payload", bound=msgspec.Struct)


class CursorBroken(ValueError):
    pass


class _Payload(msgspec.Struct, array_like=True):
    key: bytes
    latest: bool
    version: bytes | None
    since: int | None
    include_deleted: bool
    search: bytes
    edition: str | None
    sequence: int


@dataclass(frozen=True)
class Position:
    """Where a list goes on: behind `key`, with the filters and the edition that it began with.

    All but `key` is None for a cursor of upstream's; `edition` where none was asked for.
    """

    key: bytes
    selection: Selection | None
    edition: str | None
    sequence: int | None


def encode(key: bytes, wanted: Selection, *, edition: str | None, sequence: int) -> str:
    payload = _Payload(
        key,
        wanted.latest,
        wanted.version,
        wanted.since,
        wanted.include_deleted,
        wanted.search,
        edition,
        sequence,
    )
    return seal(payload)


def decode(cursor: bytes) -> Position:
    """Raises CursorBroken for one of ours that was cut or changed; others are upstream's."""
    if not _OURS.match(cursor):
        name, colon, version = cursor.partition(b":")
        return Position(b"%b\0%b" % (name, version) if colon else name, None, None, None)
    found = unseal(cursor, _Payload)
    wanted = Selection(
        found.latest, found.version, found.since, found.include_deleted, found.search
    )
    return Position(found.key, wanted, found.edition, found.sequence)


def seal(payload: msgspec.Struct) -> str:
    """A payload as a cursor of ours: safe in a URL as it is, with a checksum."""
    data = msgspec.msgpack.encode(payload)
    check = zlib.crc32(data).to_bytes(4, "big")
    return (_PREFIX + base64.urlsafe_b64encode(check + data).rstrip(b"=")).decode()


def unseal(cursor: bytes, kind: type[Payload]) -> Payload:
    """The payload of a cursor of ours. Raises CursorBroken."""
    text = cursor[len(_PREFIX) :]
    try:
        if not cursor.startswith(_PREFIX):
            raise CursorBroken(_BROKEN)
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.msgpack.decode(raw[4:], type=kind)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise CursorBroken(_BROKEN) from error
    if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
        raise CursorBroken(_BROKEN)
    return found
