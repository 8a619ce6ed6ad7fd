"""Applies blocks in memory, as a mask over every kept edition, so that they take effect at once.

A blocked entry becomes a tombstone whose message gives the reason. If it was the latest version of
its server, the next live version becomes the latest; its body says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

import msgspec

from serve.edition.base import DELETED, ENTRIES, KINDS, LATEST
from serve.edition.edition import Edition
from serve.edition.layers import TableBuilder
from serve.edition.records import RECORD_COLUMNS, RECORDS
from serve.edition.selection import from_micros, micros
from serve.edition.tables import TableKeys
from serve.entry.latest import choose_latest
from serve.entry.reasons import FORGOTTEN, Judged, Reason
from serve.entry.render import (
    Content,
    body,
    fixed_instant,
    publish_position,
    tombstone,
    with_latest,
)
from serve.policy.blocks import Block


@dataclass(frozen=True)
class Replacement:
    """Replaces an entry by a tombstone for `block`, or, without one, by itself as the latest."""

    content: Content
    state: str
    latest: bool
    block: Block | None
    since: datetime


def apply_blocks(edition: Edition, blocks: Sequence[Block]) -> Edition:
    """The edition without the blocked entries; the same object if no block matches."""
    manifest, data = edition.manifest, bytearray()
    entries, records = TableBuilder(ENTRIES), TableBuilder(RECORDS)
    behind = len(manifest.segments)  # the number of the extra segment, `data`
    for index, other in sorted(replacements(edition, blocks)):
        since = micros(other.since)
        layer, row = edition.entries.locate(index)
        values = {name: column[row].item() for name, column in layer.columns.items()}
        served = body(
            other.content,
            state=other.state,
            edition=manifest.edition,
            sequence=values["sequence"],
            namespace=manifest.namespace,
        )
        at, stamp = publish_position(len(served)), fixed_instant(from_micros(since))
        values |= {
            "segment": behind,
            "offset": len(data),
            "length": len(served),
            "flags": LATEST * other.latest | DELETED * (other.block is not None),
            # A reader who follows changes since an instant before the block must see it.
            "changed": max(since, values["changed"]),
            "signature": other.content.signature,
        }
        if other.block is not None:
            values["kind"] = KINDS.index(other.state)
        data += served[:at] + stamp + served[at + len(stamp) :] + b","
        entries.add((edition.key(index), edition.text(index)), **values)
    known = {index: block for block in blocks for index in _targets(edition.records.keys, block)}
    nothing = dict.fromkeys(RECORD_COLUMNS, 0)
    for index, block in sorted(known.items()):
        key = edition.records.keys[index]
        shown = edition.keys.find(*key.split(b"\0", 1))
        if shown is None and edition.records.judged(index).reason == FORGOTTEN:
            continue  # to readers it is unknown, and stays so
        reason = msgspec.json.encode(judged_by(block, shown=shown))
        place = {"segment": behind, "offset": len(data), "length": len(reason)}
        records.add((key,), **nothing | {f"reason_{name}": n for name, n in place.items()})
        data += reason
    if not len(entries) and not len(records):
        return edition
    return edition.with_overlay(entries.layer(), records.layer(), bytes(data))


def replacements(edition: Edition, blocks: Sequence[Block]) -> Iterator[tuple[int, Replacement]]:
    """Replaced entries by number: blocked live versions, and versions that become the latest."""
    hit = {
        index: block
        for block in blocks
        for index in _targets(edition.keys, block)
        if not edition.deleted(index)
    }
    for name, group in groupby(sorted(hit), key=lambda index: edition.keys.pair(index)[0]):
        blocked = list(group)
        flags = edition.arrays["flags"]
        latest = next((index for index in blocked if flags[index] & LATEST), None)
        running = [
            index
            for index in edition.keys.of(name.encode())
            if index not in hit and not edition.deleted(index)
        ]
        if latest is not None and running:
            promoted = running[choose_latest([_dated(edition, index) for index in running])]
            served, namespace = edition.body(promoted), edition.manifest.namespace
            content = with_latest(served, is_latest=True, namespace=namespace)
            since = max(hit[index].since for index in blocked)
            yield promoted, Replacement(content, edition.state(promoted), True, None, since)
        for index in blocked:
            stays = index == latest and not running
            yield index, _tombstone(edition, index, hit[index], latest=stays)


def _targets(keys: TableKeys, block: Block) -> Iterator[int]:
    if block.version is None:
        yield from keys.of(block.name.encode())
    else:
        index = keys.find(block.name.encode(), block.version.encode())
        if index is not None:
            yield index


def _dated(edition: Edition, index: int) -> tuple[str, datetime]:
    return edition.keys.pair(index)[1], from_micros(int(edition.arrays["published"][index]))


def _tombstone(edition: Edition, index: int, block: Block, *, latest: bool) -> Replacement:
    name, version = edition.keys.pair(index)
    content = tombstone(
        name=name,
        version=version,
        schema_uri=None,
        description="This version was withdrawn from this feed.",
        message=f"withdrawn from this feed: {block.reason}",
        published_at=from_micros(int(edition.arrays["published"][index])),
        updated_at=from_micros(int(edition.arrays["updated"][index])),
        status_changed_at=None,
        is_latest=latest,
        namespace=edition.manifest.namespace,
    )
    return Replacement(content, "withdrawn", latest, block, block.since)


def judged_by(block: Block, *, shown: int | None) -> Judged:
    state: Literal["withdrawn", "excluded"] = "withdrawn" if shown is not None else "excluded"
    return Judged(Reason(state, "exclude", "block", block.reason), "")
