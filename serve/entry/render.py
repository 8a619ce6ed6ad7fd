"""Renders an entry into the served bytes: the envelope around a server.json.

The official block is upstream's, except for a closed list of rewrites (isLatest, the status and
message of a tombstone, statusChangedAt if upstream had none). Our own blocks are added next to it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from serve.entry.strict import SCHEMA

OFFICIAL = "io.modelcontextprotocol.registry/official"
INSTANT_WIDTH = 27  # of `fixed_instant`
_UNPUBLISHED = b"0000-00-00T00:00:00.000000Z"
_TAIL = len(b'"}}}')  # what follows the publication instant: feed block, _meta, envelope

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
# The left side of a merge of dicts fixes the order of members; None stands for a missing one.
_IN_ORDER: dict[str, Any] = dict.fromkeys(
    ("statusChangedAt", "statusMessage", "publishedAt", "updatedAt")
)

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Content:
    """The served parts of an entry, before the edition is known, and a hash of them (signature)."""

    server: bytes
    meta: bytes
    signature: bytes


def live(
    server: bytes,
    meta: bytes,
    *,
    published_at: datetime,
    updated_at: datetime,
    is_latest: bool,
    enrichment: bytes | None,
    namespace: str,
    without: Sequence[str] = (),
    editorial: bytes | None = None,
) -> Content:
    """Render an admitted entry; `server` is already repaired, `meta` is upstream's.

    `without` are the blocks of `meta` to leave out.
    """
    blocks = _raw_object.decode(meta)
    upstream: dict[str, Any] = msgspec.json.decode(blocks.pop(OFFICIAL))  # any JSON
    published = _kept(upstream.get("publishedAt")) or instant(published_at)
    instants = {
        "statusChangedAt": _kept(upstream.get("statusChangedAt")) or published,
        "publishedAt": published,
        "updatedAt": _kept(upstream.get("updatedAt")) or instant(updated_at),
    }
    official = {"status": "active", **_IN_ORDER} | upstream | instants | {"isLatest": is_latest}
    official = {key: value for key, value in official.items() if value is not None}
    ours = f"{namespace}/"
    # Upstream must not be able to forge blocks under our own namespace.
    others = {
        key: block
        for key, block in blocks.items()
        if not key.startswith(ours) and key not in without
    }
    own = {"enrichment": enrichment, "editorial": editorial}
    return _content(server, official, others, own, namespace)


def tombstone(
    *,
    name: str,
    version: str,
    schema_uri: str | None,
    description: str,
    message: str | None,
    published_at: datetime,
    updated_at: datetime,
    status_changed_at: datetime | None,
    is_latest: bool,
    namespace: str,
) -> Content:
    """Render a tombstone: name, version and reason; nothing that a client could run or follow."""
    server = {
        "$schema": schema_uri or SCHEMA,
        "name": name,
        "description": description,
        "version": version,
    }
    official: dict[str, Any] = {"status": "deleted"}
    official["statusChangedAt"] = instant(status_changed_at or published_at)
    if message:
        official["statusMessage"] = message[:500]
    official |= {
        "publishedAt": instant(published_at),
        "updatedAt": instant(updated_at),
        "isLatest": is_latest,
    }
    return _content(_json(server), official, {}, {}, namespace)


def body(content: Content, *, state: str, edition: str, sequence: int, namespace: str) -> bytes:
    """The served bytes, with a placeholder for the instant at `publish_position`."""
    feed = b'{"state":"%b","edition":"%b","sequence":%d,"publishedAt":"%b"}' % (
        state.encode(),
        edition.encode(),
        sequence,
        _UNPUBLISHED,
    )
    return b'{"server":%b,"_meta":%b,"%b/feed":%b}}' % (
        content.server,
        content.meta[:-1],
        namespace.encode(),
        feed,
    )


def parted(served: bytes, *, namespace: str, signature: bytes) -> Content:
    """Split a served body into its content again, without the feed block."""
    envelope = _raw_object.decode(served)
    blocks = _raw_object.decode(envelope["_meta"])
    blocks.pop(f"{namespace}/feed")
    meta = b",".join(b"%b:%b" % (_json(key), bytes(value)) for key, value in blocks.items())
    return Content(bytes(envelope["server"]), b"{%b}" % meta, signature)


def with_latest(served: bytes, *, is_latest: bool, namespace: str) -> Content:
    """The content of a served body with its latest flag replaced."""
    part = parted(served, namespace=namespace, signature=b"")
    blocks = _raw_object.decode(part.meta)
    official = msgspec.json.decode(blocks.pop(OFFICIAL)) | {"isLatest": is_latest}
    return _content(part.server, official, blocks, {}, namespace)


def publish_position(end: int) -> int:
    """The offset of the publication instant in a body that ends at `end`."""
    return end - _TAIL - INSTANT_WIDTH


def fixed_instant(at: datetime) -> bytes:
    """An instant in the fixed width that bodies reserve for it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def instant(at: datetime) -> str:
    """RFC 3339 in UTC without trailing zeros in the fraction, as upstream writes it."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def _kept(value: object) -> str | None:
    """Keep an instant as upstream wrote it, if every client can read it; else None."""
    return value if isinstance(value, str) and _RFC3339.fullmatch(value) else None


def _content(
    server: bytes,
    official: dict[str, Any],
    others: dict[str, msgspec.Raw],
    own: Mapping[str, bytes | None],
    namespace: str,
) -> Content:
    parts = [b'"%b":%b' % (OFFICIAL.encode(), _json(official))]
    parts += [b"%b:%b" % (_json(key), bytes(value)) for key, value in others.items()]
    prefix = namespace.encode()
    parts += [
        b'"%b/%b":%b' % (prefix, key.encode(), block)
        for key, block in own.items()
        if block is not None
    ]
    meta = b"{%b}" % b",".join(parts)
    # The length marks where `server` ends, so that no other pair gives the same bytes.
    signed = b"%b:%d:%b%b" % (namespace.encode(), len(server), server, meta)
    signature = hashlib.sha256(signed).digest()[:16]
    return Content(server, meta, signature)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
