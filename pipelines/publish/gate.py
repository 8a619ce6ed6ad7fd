"""The gate: what must be true of a candidate before it goes live."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.registry import Registry
from pipelines.progress import Progress, silent
from pipelines.server import serving_app
from serve.api.editions import FixedEditions
from serve.api.models import ServerResponse
from serve.edition.base import LATEST
from serve.edition.edition import Edition
from serve.edition.selection import Selection
from serve.entry.render import fixed_instant
from serve.errors import EditionBroken, NoEdition
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from serve.server.app import App

_SHOWN = 20
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class ShrinkLimits:
    """How much one switch may withdraw: a share of the running entries, but at least `floor`."""

    share: float
    floor: int


def examine(
    feed: Feed,
    candidate: Edition,
    limits: ShrinkLimits,
    *,
    now: Callable[[], datetime],
    progress: Progress = silent,
) -> list[str]:
    """Why a candidate must not go live; empty when it may. Raises EditionBroken for its files."""
    problems = [*_odd_latest(candidate), *_unreadable(candidate)]
    live = feed.current_id()
    if live is not None:
        try:
            problems += losses(feed.open(live), candidate, limits)
        except (EditionBroken, NoEdition):
            problems += _shrink(feed, live, candidate, limits)
    return problems + self_walk(candidate, now=now, progress=progress)[:_SHOWN]


def losses(live: Edition, candidate: Edition, limits: ShrinkLimits) -> Iterator[str]:
    """Too many running entries that would go, and kinds of entries that would disappear."""
    gone: Counter[str] = Counter()
    example = ""
    held = 0
    for key in _running(live, candidate):
        index = candidate.keys.find(*key.split(b"\0", 1))
        if index is not None and not candidate.deleted(index):
            continue
        rule = candidate.records.rule(key)
        if rule != "latest":  # a release that takes the place of the one before loses no server
            gone[candidate.state(index) if index is not None else "gone"] += 1
            held += rule == "cooldown"
            example = example or key.decode().replace("\0", "@")
    before = live.manifest.entries - live.manifest.tombstones
    count, allowed = gone.total(), max(limits.floor, before * limits.share)
    if count > allowed:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(gone.items()))
        kinds += f"; {held} because the cooldown holds them" if held else ""
        yield (
            f"{count} of {before} running entries would go ({kinds}; {example} is one), "
            f"which is more than the gate allows: {limits.share:.0%}, or {limits.floor}"
        )
    for kind in sorted(live.manifest.parts.keys() - candidate.manifest.parts.keys()):
        if (count := live.manifest.parts[kind]) > limits.floor:
            yield (
                f"nothing of the kind {kind} would be left, of {count} entries, which is more than "
                f"the gate allows: {limits.floor}"
            )


def _running(live: Edition, candidate: Edition) -> Iterator[bytes]:
    """Keys of entries that run in the live edition and perhaps not in the candidate."""
    if candidate.from_scratch:
        yield from (live.key(number) for number in live.select(0, Selection()))
        return
    # An unchanged row still runs, so the changed rows are enough.
    for number in candidate.changed_rows().tolist():
        key = candidate.key(number)
        index = live.keys.find(*key.split(b"\0", 1))
        if index is not None and not live.deleted(index):
            yield key


def _shrink(feed: Feed, live: str, candidate: Edition, limits: ShrinkLimits) -> Iterator[str]:
    """The same from the ledger's counts, so that a broken live edition can be replaced."""
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
    """The first server with a changed entry that does not have exactly one latest version."""
    numbers = (
        range(candidate.count) if candidate.from_scratch else candidate.changed_rows().tolist()
    )
    flags, keys = candidate.arrays["flags"], candidate.keys
    # Rows are sorted by key, so the versions of a server are adjacent.
    for name, _ in groupby(candidate.key(number).partition(b"\0")[0] for number in numbers):
        if sum(bool(flags[index] & LATEST) for index in keys.of(name)) != 1:
            yield f"{name.decode()} has not exactly one latest version"
            return


def _unreadable(candidate: Edition) -> Iterator[str]:
    """Changed bodies that a strict client could not decode; the others were checked before."""
    decoder, count = msgspec.json.Decoder(ServerResponse), 0
    for number in candidate.changed_rows().tolist():
        try:
            decoder.decode(candidate.body(number))
        except msgspec.DecodeError as error:
            shown = candidate.key(number).decode().replace("\0", "@")
            yield f"strict clients could not decode {shown}: {error}"
            count += 1
            if count == _SHOWN:
                return


def self_walk(
    edition: Edition, *, now: Callable[[], datetime], progress: Progress = silent
) -> list[str]:
    """Serve an edition on loopback and walk it; return what is missing or unreadable.

    Of an edition that was built on another one, only the changes are walked.
    """
    manifest = edition.manifest
    # updated_since is exclusive: step back by the smallest unit to include this build's changes.
    since = None if edition.from_scratch else fixed_instant(manifest.built_at - _MOMENT).decode()
    wanted = range(edition.count) if edition.from_scratch else edition.changed_rows().tolist()
    app = App([FixedEditions(ServedFeed(manifest.feed, manifest.feed, "/"), edition)], skew=0.0)
    met: Counter[bytes] = Counter()
    complaints = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        policy = AddressPolicy(loopback_only=True)
        with (
            serving_app(app, sock),
            HttpClient(policy, "subregistry-gate", RequestPolicy(rate=0)) as http,
        ):
            for page in Registry(http, url, now=now).walk(since=since):
                for raw in page.entries:
                    entry = read_entry(raw)
                    if isinstance(entry, Entry):
                        met[f"{entry.name}\0{entry.version}".encode()] += 1
                    else:
                        complaints.append(f"unreadable: {entry.name} {entry.reason}")
                progress(f"{manifest.feed}: entries served to ourselves", met.total(), len(wanted))
    for index in wanted:
        # More than once is right: the walk may read its last page twice.
        if not met[edition.key(index)]:
            shown = edition.key(index).decode().replace("\0", "@")
            complaints.append(f"our own client did not meet {shown}")
    return complaints
