"""A large feed without a warehouse: recorded names with bodies drawn from recorded ones."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from bench.upstream import VERSIONS, names
from serve.api.pages import write_pages
from serve.build.candidate import Candidate
from serve.build.draft import Draft
from serve.build.writer import write_candidate
from serve.edition.bases import rebased
from serve.feed.feed import Feed
from serve.search.index import catch_up
from tests.support.shared import base_dump

START = datetime(2025, 9, 1, tzinfo=UTC)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_OFFICIAL = "io.modelcontextprotocol.registry/official"


def entries(count: int) -> Iterator[Candidate]:
    """Yield `count` versions in key order, about 2.5 per server."""
    source = random.Random(1)
    bodies = [entry["server"] for entry in base_dump()]
    done = 0
    # count / 2.5 names on average; 1,000 more are a margin.
    for name in sorted(set(islice(names(), count * 2 // 5 + 1000))):
        if done == count:
            return
        body, versions = source.choice(bodies), source.choice(VERSIONS)
        for minor in range(min(versions, count - done)):
            done += 1
            at = START + timedelta(seconds=source.uniform(0, 8e6), microseconds=done)
            yield candidate(body, name, f"1.{minor}.0", at, latest=minor == versions - 1)


def candidate(
    body: dict[str, object], name: str, version: str, at: datetime, *, latest: bool
) -> Candidate:
    server = body | {"name": name, "version": version}
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    meta = {
        _OFFICIAL: {
            "status": "active",
            "publishedAt": stamp,
            "updatedAt": stamp,
            "isLatest": latest,
        }
    }
    return Candidate(
        name=name,
        version=version,
        admitted=True,
        rule="default",
        reason="no rule decided",
        status="active",
        is_latest=latest,
        published_at=at,
        updated_at=at,
        server=json.dumps(server, ensure_ascii=False, separators=(",", ":")).encode(),
        meta=json.dumps(meta, separators=(",", ":")).encode(),
    )


def publish(
    feed: Feed, candidates: Iterator[Candidate], edition: str, names: set[str] | None
) -> None:
    """Write an edition and make it live; `names` are the servers that changed, None means all."""
    previous, now = feed.current(), datetime.now(UTC)
    write_candidate(
        Draft(
            feed=feed.name,
            edition=edition,
            namespace="local.subregistry",
            policy_hash="p",
            previous=rebased(previous, feed.folder) if previous else None,
            root=feed.folder,
            now=now,
            names=None if names is None else [name.encode() for name in names],
        ),
        candidates,
    )
    feed.set_candidate(edition)
    feed.switch(edition, now=lambda: datetime.now(UTC))


def change(feed: Feed, edition: str, count: int, seed: int) -> None:
    """Publish `count` changes: half new servers, half new versions of known ones."""
    source = random.Random(seed)
    live = feed.current()
    assert live is not None
    body = base_dump()[0]["server"]
    now = datetime.now(UTC)
    candidates = []
    for number in range(count // 2):
        name = f"bench.new/{edition}-{number:05d}"
        candidates.append(candidate(body, name, "1.0.0", now, latest=True))
    known = {live.keys.pair(source.randrange(live.count))[0] for _ in range(count // 2)}
    for name in known:
        # All versions are written again, because the former latest one loses its flag.
        numbers = [number for number in live.keys.of(name.encode()) if not live.deleted(number)]
        for number in numbers:
            decoded = json.loads(live.body(number))
            official = decoded["_meta"][_OFFICIAL]
            at = datetime.fromisoformat(official["publishedAt"])
            version = live.keys.pair(number)[1]
            candidates.append(candidate(decoded["server"], name, version, at, latest=False))
        candidates.append(candidate(body, name, f"9.{edition}", now, latest=True))
    names = {entry.name for entry in candidates}
    publish(feed, iter(sorted(candidates, key=lambda entry: entry.key)), edition, names)


def index(feed: Feed) -> dict[str, float]:
    """Do the work that runs beside refreshes; return the seconds of each part."""
    import time

    live, seconds = feed.current(), {}
    assert live is not None
    for name, step in (
        ("base", lambda: feed.rebase(now=datetime.now(UTC))),
        ("pages", lambda: write_pages(live)),
        ("search", lambda: catch_up(feed.folder / "search", live, {}, now=datetime.now(UTC))),
    ):
        begun = time.perf_counter()
        step()
        seconds[name] = time.perf_counter() - begun
    return seconds


def written(folder: Path, since: float) -> int:
    """Bytes of the files below a folder that were written since an instant (Unix seconds)."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in paths if path.stat().st_mtime >= since)
