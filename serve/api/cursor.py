"""Cursors: ours carry the position and the filters; upstream's `name:version` is accepted too.

Our cursor is `sr2_` and the base64url of position, filters and a checksum, because some clients
send a cursor unescaped and drop the filters after the first page. It also names the edition that
the reader asked for, if any, and the sequence of the edition in which the walk began.
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
# Any generation: an old cursor of ours must be refused, not read as a server name of upstream's.
_OURS = re.compile(rb"sr\d+_")
_BROKEN = "the cursor is broken; start the list again without one"


Payload = TypeVar("Payload", bound=msgspec.Struct)


class CursorBroken(ValueError):
    pass


# Encoded without field names to be short, so the order of the fields is the format.
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
    """Where a list continues: after `key`, with the filters and the edition that it began with.

    For a cursor of upstream's, all but `key` is None. `edition` is None if none was asked for.
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
    """Read a cursor. Raises CursorBroken for a damaged one of ours; any other is upstream's."""
    if not _OURS.match(cursor):
        # The keys of an edition are name NUL version.
        name, colon, version = cursor.partition(b":")
        return Position(b"%b\0%b" % (name, version) if colon else name, None, None, None)
    payload = unseal(cursor, _Payload)
    wanted = Selection(
        payload.latest, payload.version, payload.since, payload.include_deleted, payload.search
    )
    return Position(payload.key, wanted, payload.edition, payload.sequence)


def seal(payload: msgspec.Struct) -> str:
    """Encode a payload as one of our cursors: safe in a URL without escaping, with a checksum."""
    data = msgspec.msgpack.encode(payload)
    check = zlib.crc32(data).to_bytes(4, "big")
    return (_PREFIX + base64.urlsafe_b64encode(check + data).rstrip(b"=")).decode()


def unseal(cursor: bytes, kind: type[Payload]) -> Payload:
    """Decode the payload of one of our cursors. Raises CursorBroken."""
    text = cursor[len(_PREFIX) :]
    try:
        if not cursor.startswith(_PREFIX):
            raise CursorBroken(_BROKEN)
        # `seal` strips the padding, but the decoder needs it.
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        payload = msgspec.msgpack.decode(raw[4:], type=kind)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise CursorBroken(_BROKEN) from error
    if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
        raise CursorBroken(_BROKEN)
    return payload
