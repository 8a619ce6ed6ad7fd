"""The gate: what must be true of a candidate before it goes live."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from connectors.contract import Entry, read_entry, read_page
from connectors.http import HttpClient, Manners
from connectors.network import AddressPolicy
from connectors.registry import Registry
from pipelines.server import serving_app
from serve.app import App
from serve.edition import Edition
from serve.errors import EditionBroken, NoEdition
from serve.feed import Feed, ServedFeed
from serve.models import ServerResponse
from serve.shelf import FixedShelf

_SHOWN = 20


@dataclass(frozen=True)
class Limits:
    """How much one switch may withdraw: a share of the running entries, but `floor` always."""

    share: float
    floor: int


def examine(
    feed: Feed, candidate: Edition, limits: Limits, *, now: Callable[[], datetime]
) -> list[str]:
    """Why a candidate must not go live; empty when it may. Raises EditionBroken for its files."""
    problems = [*_odd_latest(candidate), *_unreadable(candidate)]
    live = feed.current_id()
    if live is not None:
        try:
            problems += _losses(feed.open(live), candidate, limits)
        except (EditionBroken, NoEdition):
            problems += _shrink(feed, live, candidate, limits)
    return problems + self_walk(candidate, now=now)[:_SHOWN]


def _losses(live: Edition, candidate: Edition, limits: Limits) -> Iterator[str]:
    """Entries that run in the live edition and would not any more, and kinds of them."""
    gone: Counter[str] = Counter()
    example = ""
    running = np.flatnonzero((live.arrays["flags"] & 2) == 0)
    for number in running:
        key = live.key(int(number))
        index = candidate.keys.find(*key.split(b"\0", 1))
        if index is None or candidate.deleted(index):
            gone[candidate.state(index) if index is not None else "gone"] += 1
            example = example or key.decode().replace("\0", "@")
    count, allowed = gone.total(), max(limits.floor, len(running) * limits.share)
    if count > allowed:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(gone.items()))
        yield (
            f"{count} of {len(running)} running entries would go ({kinds}; {example} is one), "
            f"which is more than the gate allows: {limits.share:.0%}, or {limits.floor}"
        )
    for kind in sorted(live.manifest.parts.keys() - candidate.manifest.parts.keys()):
        yield f"nothing of the kind {kind} would be left, of {live.manifest.parts[kind]} entries"


def _shrink(feed: Feed, live: str, candidate: Edition, limits: Limits) -> Iterator[str]:
    """The same from the ledger, as far as it tells: a broken live edition may be replaced."""
    published = feed.ledger.read().get(live)
    if published is None:
        return
    before = published.entries - published.tombstones
    after = candidate.manifest.entries - candidate.manifest.tombstones
    if before - after > max(limits.floor, before * limits.share):
        yield (
            f"it has {after} running entries where the live edition has {before}, which is more "
            f"than the gate allows: {limits.share:.0%}, or {limits.floor}"
        )


def _odd_latest(candidate: Edition) -> Iterator[str]:
    flags = candidate.arrays["flags"]
    names = [candidate.key(i).partition(b"\0")[0] for i in range(candidate.count)]
    latest = [name for name, flag in zip(names, flags, strict=True) if flag & 1]
    if len(latest) != len(set(latest)) or set(latest) != set(names):
        yield "a server has not exactly one latest version"


def _unreadable(candidate: Edition) -> Iterator[str]:
    """New bodies that a strict client could not decode; the others were seen before."""
    decoder, found = msgspec.json.Decoder(ServerResponse), 0
    for number in np.flatnonzero(candidate.arrays["sequence"] == candidate.manifest.sequence):
        try:
            decoder.decode(candidate.body(int(number)))
        except msgspec.DecodeError as error:
            shown = candidate.key(int(number)).decode().replace("\0", "@")
            yield f"strict clients could not decode {shown}: {error}"
            found += 1
            if found == _SHOWN:
                return


def self_walk(edition: Edition, *, now: Callable[[], datetime]) -> list[str]:
    """Serve an edition to ourselves and walk it; returns what is missing or unreadable."""
    manifest = edition.manifest
    app = App([FixedShelf(ServedFeed(manifest.feed, manifest.feed, "/"), edition)], skew=0.0)
    met: Counter[bytes] = Counter()
    complaints = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        policy = AddressPolicy(loopback_only=True)
        with (
            serving_app(app, sock),
            HttpClient(policy, "subregistry-gate", Manners(rate=0)) as http,
        ):
            for page in Registry(http, url, now=now).walk():
                for raw in read_page(page.body).entries:
                    found = read_entry(raw)
                    if isinstance(found, Entry):
                        met[f"{found.name}\0{found.version}".encode()] += 1
                    else:
                        complaints.append(f"unreadable: {found.name} {found.reason}")
    for index in range(edition.count):
        if not met[edition.key(index)]:  # the walk may ask for its last page again
            shown = edition.key(index).decode().replace("\0", "@")
            complaints.append(f"our own client did not meet {shown}")
    return complaints
