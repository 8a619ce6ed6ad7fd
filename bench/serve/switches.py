"""A feed that changes under load: no answer may mix two editions."""

import hashlib
import statistics
import tempfile
import threading
import time
from datetime import timedelta
from itertools import islice
from pathlib import Path

from bench.serve.load import Reader, entity_tag, private, server, targets, wrk
from bench.serve.steps import another, indexed, live, more
from pipelines.cli.console import print_table
from serve.api.editions import FixedEditions
from serve.api.registry import Api, Request
from serve.edition.edition import Edition
from serve.feed.feed import Feed
from serve.feed.retention import Retention
from serve.policy.served_feed import ServedFeed


def changed_under_load(home: Path, seconds: float, every: float) -> None:
    """Run mixed load while editions change; compare every answer with what its edition says."""
    feed = Feed(home / "feeds", "default")
    edition = live(home)
    kinds = targets(edition)
    watched = [*kinds["one entry"][:20], *kinds["latest of one"][:20], "/v0.1/servers?limit=100"]
    expected: dict[tuple[str, str], str] = {}
    memory: list[float] = []
    waits: list[float] = []
    errors, answers = 0, 0
    with (
        server(home) as (port, process, _),
        tempfile.TemporaryDirectory() as name,
        another() as builder,
    ):
        readers = [Reader(port, watched) for _ in range(2)]
        ended = threading.Event()
        threads = [threading.Thread(target=reader.run, args=(ended,)) for reader in readers]
        note(edition, watched, expected)
        for thread in threads:
            thread.start()
        begun = indexed_at = time.monotonic()
        number, start = 0, edition.manifest.built_at
        try:
            while time.monotonic() - begun < seconds or number < seconds // every:
                tick = time.monotonic()
                number += 1
                new_id = f"s{time.time():.0f}-{number}"
                builder.submit(more, home, new_id, number).result()
                switched = time.monotonic()
                edition = live(home)
                note(edition, watched, expected)
                # An ETag is W/"TAG".
                while entity_tag(port, watched[0])[3:-1] != edition.tag:
                    if time.monotonic() - switched > 30:
                        raise SystemExit("the switch is not seen")
                    time.sleep(0.01)
                waits.append(time.monotonic() - switched)
                remaining = max(every - (time.monotonic() - tick), 1)
                rate = wrk(port, process, kinds["mixed"], Path(name), seconds=round(remaining) or 1)
                errors, answers = errors + rate.errors, answers + int(rate.requests * remaining)
                memory += private(process)
                if time.monotonic() - indexed_at >= 60:
                    builder.submit(indexed, home).result()
                    indexed_at = time.monotonic()
                feed.tidy(
                    Retention(5, timedelta(0)), now=start
                )  # a walk stays in the edition it began in
        finally:
            ended_at = time.monotonic()
            ended.set()
            for thread in threads:
                thread.join()
    troubles = [trouble for reader in readers for trouble in reader.troubles]
    # Mixed: a digest other than the one of the edition, or more than one.
    mixed = sum(
        expected.get(place) is not None and digests != {expected[place]}
        for reader in readers
        for place, digests in reader.met.items()
    )
    # Memory that grows from the first third to the last one would be a leak.
    third = max(len(memory) // 3, 1)
    early, late = statistics.median(memory[:third]), statistics.median(memory[-third:])
    print_table(
        ["seconds", "switches", "answers of wrk", "answers compared", "failed", "mixed",
         "seen within s (max)", "private MB, first third", "last third"],
        [[f"{ended_at - begun:.0f}", number, answers, sum(reader.count for reader in readers),
          errors + len(troubles), mixed, f"{max(waits):.2f}", f"{early:.0f}", f"{late:.0f}"]],
    )  # fmt: skip
    for trouble in islice(troubles, 5):
        print(trouble)


def note(edition: Edition, watched: list[str], expected: dict[tuple[str, str], str]) -> None:
    """Record the digest of an edition's answer to each target, read from its files."""
    api = Api(version="bench", skew=0.0)
    store = FixedEditions(ServedFeed("default", "default", "/"), edition)
    for target in watched:
        path, _, query = target.encode().partition(b"?")
        answer = api.answer(Request(b"GET", path, query), store)
        assert answer is not None
        expected[edition.tag, target] = hashlib.sha256(answer.body).hexdigest()
