"""An entry as an edition serves it: newly rendered, or carried over from an earlier edition."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from serve.edition.base import LATEST
from serve.edition.edition import Edition
from serve.edition.selection import from_micros
from serve.entry.render import Content, parted, with_latest


@dataclass(frozen=True)
class ServedEntry:
    """The served form of an entry. `state` is admitted, deleted, withdrawn or withheld."""

    key: bytes
    content: Content
    state: str
    latest: bool
    published_at: datetime
    updated_at: datetime


def carried(edition: Edition, index: int, *, latest: bool | None = None) -> ServedEntry:
    """Carry over an entry of an edition; `latest`, if given, replaces its latest flag."""
    arrays, namespace = edition.arrays, edition.manifest.namespace
    body, was_latest = edition.body(index), bool(arrays["flags"][index] & LATEST)
    if latest is None or latest == was_latest:
        content = parted(body, namespace=namespace, signature=bytes(arrays["signature"][index]))
    else:
        content = with_latest(body, is_latest=latest, namespace=namespace)
    return ServedEntry(
        edition.key(index),
        content,
        edition.state(index),
        latest=was_latest if latest is None else latest,
        published_at=from_micros(int(arrays["published"][index])),
        updated_at=from_micros(int(arrays["updated"][index])),
    )


def standing(edition: Edition | None, index: int | None, content: Content) -> Content | None:
    """The content of a live entry of an edition, if `content` has the same values in another order
    or spelling: to readers that is no change."""
    if edition is None or index is None or edition.deleted(index):
        return None
    if bytes(edition.arrays["signature"][index]) == content.signature:
        return None
    old = carried(edition, index).content
    return old if _canonical(old) == _canonical(content) else None


def _canonical(content: Content) -> list[bytes]:
    """Both values with their keys in order: `1`, `1.0` and `true` stay different."""
    parts = (msgspec.json.decode(part) for part in (content.server, content.meta))
    return [msgspec.json.encode(part, order="sorted") for part in parts]
