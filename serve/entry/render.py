"""From an admitted entry to the bytes that are served: the envelope around a server.json.

The official block is upstream's but for a closed list of rewrites (isLatest, a tombstone's status
and message, statusChangedAt where upstream had none). Our own blocks stand beside it.
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
INSTANT_WIDTH = 27
_UNPUBLISHED = b"0000-00-00T00:00:00.000000Z"
_TAIL = len(b'"}}}')

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_IN_ORDER: dict[str, Any] = dict.fromkeys(
    ("statusChangedAt", "statusMessage", "publishedAt", "updatedAt")
)

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Content:
    """What is served of an entry, before the edition is known: its two values and its signature."""

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
    """An entry that the feed admits; `server` is repaired already, `meta` is upstream's.

    `without` are blocks of it that are left out.
    """
    blocks = _raw_object.decode(meta)
    found: dict[str, Any] = msgspec.json.decode(blocks.pop(OFFICIAL))  # untouched JSON
    published = _kept(found.get("publishedAt")) or instant(published_at)
    instants = {
        "statusChangedAt": _kept(found.get("statusChangedAt")) or published,
        "publishedAt": published,
        "updatedAt": _kept(found.get("updatedAt")) or instant(updated_at),
    }
    official = {"status": "active", **_IN_ORDER} | found | instants | {"isLatest": is_latest}
    official = {key: value for key, value in official.items() if value is not None}
    ours = f"{namespace}/"
    others = {k: v for k, v in blocks.items() if not k.startswith(ours) and k not in without}
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
    """An entry that is gone: name, version and why; nothing that a client could run or follow."""
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
    """The served bytes, with a blank where `publish_position` says the instant goes."""
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


def parted(found: bytes, *, namespace: str, signature: bytes) -> Content:
    """The content of a body that was served, to be served again."""
    envelope = _raw_object.decode(found)
    blocks = _raw_object.decode(envelope["_meta"])
    blocks.pop(f"{namespace}/feed")
    meta = b",".join(b"%b:%b" % (_json(key), bytes(value)) for key, value in blocks.items())
    return Content(bytes(envelope["server"]), b"{%b}" % meta, signature)


def with_latest(found: bytes, *, is_latest: bool, namespace: str) -> Content:
    """The content of a body that was served, as its server's latest version or not."""
    part = parted(found, namespace=namespace, signature=b"")
    blocks = _raw_object.decode(part.meta)
    official = msgspec.json.decode(blocks.pop(OFFICIAL)) | {"isLatest": is_latest}
    return _content(part.server, official, blocks, {}, namespace)


def publish_position(end: int) -> int:
    """Where the publication instant of a body that ends at `end` is."""
    return end - _TAIL - INSTANT_WIDTH


def fixed_instant(at: datetime) -> bytes:
    """An instant of the fixed width that bodies leave room for."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, trailing zeros of the fraction trimmed, as upstream writes it."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def _kept(value: object) -> str | None:
    """An instant as upstream wrote it, if every client can read it."""
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
    parts += [b'"%b/%b":%b' % (prefix, k.encode(), v) for k, v in own.items() if v is not None]
    meta = b"{%b}" % b",".join(parts)
    signed = b"%b:%d:%b%b" % (namespace.encode(), len(server), server, meta)
    signature = hashlib.sha256(signed).digest()[:16]
    return Content(server, meta, signature)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
