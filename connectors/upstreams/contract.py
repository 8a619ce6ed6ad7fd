"""The registry's JSON as we read it: pages, entries, and the few fields that become columns.

Bytes stay bytes: an entry keeps its own JSON, and only the fields that become columns are decoded.
msgspec cuts a page into raw entries without building objects. Nothing is repaired. The shapes
follow the registry's OpenAPI document and its server.json schema.
"""

import codecs
import re
from datetime import UTC, datetime

import msgspec

from connectors.upstreams.json_split import depth, members, refuse_doubled_keys

OFFICIAL = "io.modelcontextprotocol.registry/official"
STATUSES = ("active", "deprecated", "deleted")
MAX_ENTRY = 2 * 1024 * 1024
"""Bytes of an entry; upstream accepts publications of one MiB."""
_MAX_DEPTH = 64
_MAX_KEY = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
KEPT = 65536
"""Bytes of an unreadable entry that are kept."""


class Package(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A package that a version installs from, as the publisher claims it; nothing is trusted."""

    registry_type: str = ""
    registry_base_url: str | None = None
    identifier: str = ""
    version: str | None = None
    file_sha256: str | None = None


class Remote(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    url: str = ""


class Repository(msgspec.Struct, frozen=True, gc=False):
    url: str = ""
    source: str = ""
    subfolder: str | None = None


class Details(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The fields of a server.json that become columns. Absence and null read the same."""

    schema: str | None = msgspec.field(name="$schema", default=None)
    title: str | None = None
    description: str | None = None
    website_url: str | None = None
    repository: Repository | None = None
    packages: list[Package] | None = None
    remotes: list[Remote] | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One (server, version) as observed, with its bytes.

    `server` and `meta` are the JSON values as sent. `raw` is None if the entry is exactly
    `{"server":…,"_meta":…}` composed of the two, else the whole entry. Instants are aware UTC.
    `details` is None if only name and version of the server.json could be read.
    """

    name: str
    version: str
    server: bytes
    meta: bytes
    raw: bytes | None
    status: str
    status_message: str | None
    is_latest: bool
    published_at: datetime
    updated_at: datetime
    status_changed_at: datetime | None
    details: Details | None


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """An entry that could not be read, with the reason, and its key if known.

    `raw` are its bytes, or only the first ones if it is too large.
    """

    raw: bytes
    reason: str
    name: str | None = None
    version: str | None = None


class _Envelope(msgspec.Struct, gc=False):
    server: msgspec.Raw
    meta: msgspec.Raw = msgspec.field(name="_meta")


class _Key(msgspec.Struct, gc=False):
    name: str
    version: str


class _Official(msgspec.Struct, gc=False, rename="camel"):
    published_at: datetime
    status: str = "active"
    updated_at: datetime | None = None
    status_changed_at: datetime | None = None
    status_message: str | None = None
    is_latest: bool = False


class _Server(Details, frozen=True, gc=False, kw_only=True, rename="camel"):
    name: str
    version: str


class _Meta(msgspec.Struct, gc=False):
    official: _Official = msgspec.field(name=OFFICIAL)


UNREADABLE = (ValueError, RecursionError)
_envelope = msgspec.json.Decoder(_Envelope)
_key = msgspec.json.Decoder(_Key)
_meta = msgspec.json.Decoder(_Meta)
_server = msgspec.json.Decoder(_Server)


def read_entry(raw: msgspec.Raw | bytes) -> Entry | Unreadable:
    """Read one raw entry. Never raises: an unreadable one comes back with its reason."""
    data = bytes(raw)
    try:
        check_json(data)
    except UNREADABLE as error:
        name, version = readable_key(data)
        return Unreadable(data[:KEPT], str(error)[:500], name, version)
    name = version = None
    details: Details | None = None
    try:
        envelope = _envelope.decode(data)
        server, meta = bytes(envelope.server), bytes(envelope.meta)
        try:
            parsed = _server.decode(server)
            name, version, details = parsed.name, parsed.version, parsed
        # Other fields have wrong types: keep the entry by its key alone.
        except msgspec.ValidationError:
            key = _key.decode(server)
            name, version = key.name, key.version
        official = _meta.decode(meta).official
        published = utc(official.published_at)
        updated = utc(official.updated_at) if official.updated_at else published
        changed = utc(official.status_changed_at) if official.status_changed_at else None
        if reason := refused_key(name, version):
            return Unreadable(data, reason)
        if official.status not in STATUSES:
            return Unreadable(data, f"the status {official.status!r} is unknown", name, version)
    except (ValueError, OverflowError, RecursionError) as error:
        return Unreadable(data, str(error)[:500], name, version)
    composed = compose(server, meta)
    return Entry(
        name=name,
        version=version,
        server=server,
        meta=meta,
        raw=None if composed == data else data,
        status=official.status,
        status_message=official.status_message,
        is_latest=official.is_latest,
        published_at=published,
        updated_at=updated,
        status_changed_at=changed,
        details=details,
    )


def check_json(data: bytes) -> None:
    """Raise ValueError for JSON that some readers would refuse or understand differently."""
    if data.startswith(codecs.BOM_UTF8):
        raise ValueError("it begins with a byte order mark; save it as UTF-8 without one")
    if len(data) > MAX_ENTRY:
        raise ValueError(f"it has {len(data)} bytes, more than {MAX_ENTRY}")
    # A cheap upper bound first: few brackets cannot nest deeply.
    nested = data.count(b"{") + data.count(b"[") > _MAX_DEPTH
    if nested and (levels := depth(data)) > _MAX_DEPTH:
        raise ValueError(f"it is nested {levels} levels deep, more than {_MAX_DEPTH}")
    data.decode("utf-8")
    # If decoding and encoding give the same bytes, no key was lost, so none was doubled.
    if msgspec.json.encode(msgspec.json.decode(data)) != data:
        refuse_doubled_keys(data)


def readable_key(data: bytes) -> tuple[str | None, str | None]:
    """The key of an otherwise unreadable entry, so that it can be asked for again."""
    try:
        server = dict(members(dict(members(data))[b"server"]))
        name, version = (
            msgspec.json.decode(server[field], type=str) for field in (b"name", b"version")
        )
    except (*UNREADABLE, KeyError):
        return None, None
    return (None, None) if refused_key(name, version) else (name, version)


def refused_key(name: str, version: str) -> str | None:
    """Why a key cannot be kept; None if it can."""
    if not name or not version:
        return "the name or the version is empty"
    if max(len(name), len(version)) > _MAX_KEY:
        return f"the name or the version has more than {_MAX_KEY} characters"
    if _CONTROL.search(name + version):
        return "the name or the version has a control character"
    return None


def compose(server: bytes, meta: bytes) -> bytes:
    """The entry as upstream writes it, from its two values."""
    return b'{"server":%b,"_meta":%b}' % (server, meta)


def utc(instant: datetime) -> datetime:
    """An instant in UTC. Raises ValueError without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant has no time zone")
    return instant.astimezone(UTC)
