"""From an admitted entry to the bytes that are served: the envelope around a server.json.

The official block is upstream's but for a closed list of rewrites (isLatest, a tombstone's status
and message, statusChangedAt where upstream had none). Our own blocks stand beside it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

OFFICIAL = "io.modelcontextprotocol.registry/official"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
INSTANT_WIDTH = 27
_UNPUBLISHED = b"0000-00-00T00:00:00.000000Z"
_TAIL = len(b'"}}}')

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Content:
    """What is served of an entry, before the edition is known: its two values and its signature."""

    server: bytes
    meta: bytes
    signature: bytes


def live(
    server: bytes, meta: bytes, *, is_latest: bool, enrichment: bytes | None, namespace: str
) -> Content:
    """An entry that the feed admits; `server` is repaired already, `meta` is upstream's."""
    blocks = _raw_object.decode(meta)
    official: dict[str, Any] = msgspec.json.decode(blocks.pop(OFFICIAL))  # untouched JSON
    others = {k: v for k, v in blocks.items() if not k.startswith(f"{namespace}/")}
    return _content(server, _official(official, is_latest=is_latest), others, enrichment, namespace)


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
    return _content(_json(server), official, {}, None, namespace)


def body(content: Content, *, state: str, sequence: int, namespace: str) -> bytes:
    """The served bytes, with a blank where `publish_position` says the instant goes."""
    feed = b'{"state":"%b","sequence":%d,"publishedAt":"%b"}' % (
        state.encode(),
        sequence,
        _UNPUBLISHED,
    )
    return b'{"server":%b,"_meta":%b,"%b/feed":%b}}' % (
        content.server,
        content.meta[:-1],
        namespace.encode(),
        feed,
    )


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


def _official(found: dict[str, Any], *, is_latest: bool) -> dict[str, Any]:
    """Upstream's block in upstream's order, with the rewrites that the contract allows."""
    if not found.get("statusChangedAt"):
        rest = {k: v for k, v in found.items() if k not in ("status", "statusChangedAt")}
        found = {"status": found.get("status", "active"), "statusChangedAt": found["publishedAt"]}
        found |= rest
    found.setdefault("updatedAt", found["publishedAt"])
    return {k: v for k, v in found.items() if v is not None} | {"isLatest": is_latest}


def _content(
    server: bytes,
    official: dict[str, Any],
    others: dict[str, msgspec.Raw],
    enrichment: bytes | None,
    namespace: str,
) -> Content:
    parts = [b'"%b":%b' % (OFFICIAL.encode(), _json(official))]
    parts += [b"%b:%b" % (_json(key), bytes(value)) for key, value in others.items()]
    if enrichment is not None:
        parts.append(b'"%b/enrichment":%b' % (namespace.encode(), enrichment))
    meta = b"{%b}" % b",".join(parts)
    signature = hashlib.sha256(b"%d:%b%b" % (len(server), server, meta)).digest()[:16]
    return Content(server, meta, signature)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
