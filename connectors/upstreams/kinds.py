"""Kinds of upstreams, and what is asked of each.

The OpenAPI document leaves much open: dates, flags and statuses, the order of a list, how it ends,
`updated_since`. The official registry promises more, and so do its mirrors and our own feeds. Only
of those it is asked; every other registry may be as loose as the document allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from connectors.upstreams.contract import Unreadable
from connectors.upstreams.stated import read_stated


class Kind(StrEnum):
    """What an upstream is. `OFFICIAL` is also a mirror of the official registry, or a feed of a
    subregistry like ours."""

    OFFICIAL = "official"
    REGISTRY = "registry"
    FOLDER = "folder"


@dataclass(frozen=True)
class Promises:
    """What an upstream promises beyond the OpenAPI document.

    `blocks`: each entry says its dates, its status and whether it is the latest version. `ordered`:
    lists rise by name and version, have metadata, and only a page that is not full is their end.
    `updated_since`: what changed can be asked for.
    """

    blocks: bool
    ordered: bool
    updated_since: bool


PROMISES = {
    Kind.OFFICIAL: Promises(blocks=True, ordered=True, updated_since=True),
    Kind.REGISTRY: Promises(blocks=False, ordered=False, updated_since=False),
    Kind.FOLDER: Promises(blocks=False, ordered=False, updated_since=False),
}


def kind_of(entries: Sequence[bytes | msgspec.Raw], *, has_metadata: bool) -> Kind:
    """The kind of a registry, by the first page of its list.

    It is official if keys rise and every entry that can be read has a whole official block. An
    empty page shows nothing, and what is not asked for cannot be missing.
    """
    stated = [record for record in map(read_stated, entries) if not isinstance(record, Unreadable)]
    whole = all(
        None not in (claims.status, claims.published_at, claims.updated_at, claims.is_latest)
        for claims in (record.claims for record in stated)
    )
    keys = [(record.name.encode(), record.version.encode()) for record in stated]
    official = stated and whole and has_metadata and keys == sorted(keys)
    return Kind.OFFICIAL if official else Kind.REGISTRY
