"""What an entry states if no official block is asked for: by the OpenAPI document, all is optional.

Registries other than the official one and in-house documents are read so. What they leave out is
not made up here.
"""

from datetime import datetime

import msgspec

from connectors.upstreams.contract import (
    KEPT,
    OFFICIAL,
    Unreadable,
    check_json,
    readable_key,
    refused_key,
    utc,
)


class Claims(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What the official block of an entry says, as far as it is there."""

    status: str | None = None
    status_message: str | None = None
    status_changed_at: datetime | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    is_latest: bool | None = None


class Stated(msgspec.Struct, frozen=True, gc=False):
    """An entry by the OpenAPI document: its server.json, its claims, and the other blocks of its
    `_meta` as bytes. Everything but the server.json is optional."""

    name: str
    version: str
    server: bytes
    claims: Claims
    blocks: dict[str, msgspec.Raw]


class _Envelope(msgspec.Struct, gc=False):
    server: msgspec.Raw
    meta: dict[str, msgspec.Raw] | None = msgspec.field(name="_meta", default=None)


class _Server(msgspec.Struct, gc=False):
    name: str
    version: str


class _Document(msgspec.Struct, gc=False):
    """The members that tell a server.json and an entry apart. Older server.json have a status."""

    name: msgspec.Raw = msgspec.Raw()
    server: msgspec.Raw = msgspec.Raw()
    status: msgspec.Raw = msgspec.Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_server = msgspec.json.Decoder(_Server)
_claims = msgspec.json.Decoder(Claims | None)
_document = msgspec.json.Decoder(_Document)


def read_stated(raw: msgspec.Raw | bytes) -> Stated | Unreadable:
    """Read what a raw entry states. Never raises."""
    data = bytes(raw)
    try:
        check_json(data)
        envelope = _envelope.decode(data)
        blocks = envelope.meta or {}
        claims = _claims.decode(blocks.pop(OFFICIAL, b"null")) or Claims()
        for instant in (claims.published_at, claims.updated_at, claims.status_changed_at):
            if instant is not None:
                utc(instant)
        return _stated(bytes(envelope.server), claims, blocks)
    except (ValueError, OverflowError, RecursionError) as error:
        return Unreadable(data[:KEPT], str(error)[:500], *readable_key(data))


def read_document(data: bytes) -> Stated | Unreadable:
    """Read an in-house document: a server.json, or an entry with `server` and `_meta`, which says
    more. Never raises; byte positions in reasons are those of the document."""
    try:
        check_json(data)
        document = _document.decode(data)
        if document.server and not document.name:
            return read_stated(data.strip())
        status = msgspec.json.decode(document.status, type=str | None) if document.status else None
        return _stated(data.strip(), Claims(status=status), {})
    except (ValueError, RecursionError) as error:
        key = readable_key(data)
        if key == (None, None):
            key = readable_key(b'{"server":%b}' % data)
        return Unreadable(data[:KEPT], str(error)[:500], *key)


def _stated(server: bytes, claims: Claims, blocks: dict[str, msgspec.Raw]) -> Stated:
    """Raises ValueError if it has no usable key."""
    key = _server.decode(server)
    if reason := refused_key(key.name, key.version):
        raise ValueError(reason)
    return Stated(key.name, key.version, server, claims, blocks)
