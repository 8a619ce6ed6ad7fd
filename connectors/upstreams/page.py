"""A page of a registry's list: its frame, and the keys and flags of its entries.

Entries stay raw here; `connectors.upstreams.contract` reads them.
"""

from typing import Annotated

import msgspec

from connectors.errors import MalformedPage
from connectors.upstreams.contract import OFFICIAL, UNREADABLE
from connectors.upstreams.json_split import refuse_doubled_keys, split_page

MAX_ENTRIES = 100_000
"""Entries of one page: a registry without pages sends all it has."""
_BRACES = 8  # an entry has some five objects
_FRAME = (b'"servers"', b'"metadata"', b'"nextCursor"')


class PageHead(msgspec.Struct, frozen=True, gc=False):
    """The frame of a page: raw entries and the cursor of the next page (None at the end).

    Metadata is optional by the OpenAPI document; the official registry always sends it.
    """

    entries: list[msgspec.Raw]
    next_cursor: str | None
    has_metadata: bool


class EntryHead(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The key of a raw entry, and whether upstream calls it the latest (None: it does not say)."""

    name: str
    version: str
    is_latest: bool | None


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    next_cursor: str | None = None
    # Older registries write next_cursor.
    old_next_cursor: str | None = msgspec.field(name="next_cursor", default=None)


class _Page(msgspec.Struct, gc=False):
    servers: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_ENTRIES)]
    metadata: _Metadata | None = None


class _Key(msgspec.Struct, gc=False):
    name: str
    version: str


class _KeyOnly(msgspec.Struct, gc=False):
    server: _Key


class _LatestFlag(msgspec.Struct, gc=False, rename="camel"):
    is_latest: bool = False


class _FlagMeta(msgspec.Struct, gc=False):
    official: _LatestFlag = msgspec.field(name=OFFICIAL)


class _FlagOnly(msgspec.Struct, gc=False):
    server: _Key
    meta: _FlagMeta = msgspec.field(name="_meta")


_page = msgspec.json.Decoder(_Page)
_metadata = msgspec.json.Decoder(_Metadata | None)
_key_only = msgspec.json.Decoder(_KeyOnly)
_flag_only = msgspec.json.Decoder(_FlagOnly)


def read_page(body: bytes, *, url: str = "") -> PageHead:
    """Cut a list answer into its entries. Raises MalformedPage if it does not have the API's shape,
    or more than MAX_ENTRIES entries.

    A record that breaks the parsing of its page is cut out at byte level.
    """
    try:
        # msgspec lets the last of two equal keys win; _split refuses them.
        if all(body.count(key) <= 1 for key in _FRAME):
            page = _page.decode(body)
            entries, metadata = page.servers, page.metadata
        else:
            entries, metadata = _split(body)
    except UNREADABLE:
        # Too many entries are not cut out one by one.
        if body.count(b"},") > MAX_ENTRIES * _BRACES:
            raise MalformedPage(
                f"{url} has more than {MAX_ENTRIES} entries on one page; is the URL right?",
                url=url,
            ) from None
        try:
            entries, metadata = _split(body)
        except UNREADABLE as error:
            raise MalformedPage(
                f"{url} is not a page of a registry ({error}); is the upstream URL right?", url=url
            ) from error
    cursor = metadata.next_cursor or metadata.old_next_cursor if metadata else None
    return PageHead(entries, cursor or None, metadata is not None)


def _split(body: bytes) -> tuple[list[msgspec.Raw], _Metadata | None]:
    entries, metadata = split_page(body)
    parsed = None
    if metadata is not None:
        parsed = _metadata.decode(metadata)
        refuse_doubled_keys(metadata)
    return [msgspec.Raw(entry) for entry in entries], parsed


def read_head(raw: msgspec.Raw | bytes) -> EntryHead | None:
    """The key and flag of a raw entry; None if its key cannot be read."""
    try:
        entry = _flag_only.decode(raw)
        return EntryHead(entry.server.name, entry.server.version, entry.meta.official.is_latest)
    except UNREADABLE:
        pass
    try:
        key = _key_only.decode(raw).server
    except UNREADABLE:
        return None
    return EntryHead(key.name, key.version, None)
