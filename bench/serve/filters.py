"""Filtered answers: made in this process, and over HTTP for 8 clients; none comes from a cache."""

import random
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from bench.serve.load import server, wrk
from pipelines.cli.console import print_table
from serve.api.cursor import encode as encode_cursor
from serve.api.editions import FixedEditions
from serve.api.params import read_list, read_query
from serve.api.registry import Api, Request
from serve.edition.edition import Edition
from serve.edition.selection import from_micros
from serve.policy.served_feed import ServedFeed

_LIST = "/v0.1/servers"
_NEEDLES = {
    "common": ["mcp", "server", "data"],
    "rare": ["postgres", "weather", "notion", "kubernetes"],
    "two letters": ["ab", "zz", "er"],
    "one letter": ["e", "z", "~"],
    "nothing": ["qzxv", "zzzzzzzz"],
    "glued together": ["serverver", "er fmcp", "mcpmcpserver", "datadataserv"],
}
_CURSORS = 100


def filters(home: Path, edition: Edition, seconds: int) -> None:
    """Print the table of filters. HTTP goes the long way, which caches no answers."""
    api = Api(version="bench", skew=0.0)
    store = FixedEditions(ServedFeed("default", "default", "/"), edition)
    source = random.Random(1)
    # Cursors at the start, in the middle, near the end, and at random places.
    shares = [0.0, 0.5, 0.98, *(source.random() for _ in range(_CURSORS))]
    keys = [edition.key(int(edition.count * share)) for share in shares]
    rows: list[list[object]] = []
    with (
        server(home, fast=False) as (port, process, _),
        tempfile.TemporaryDirectory() as folder,
    ):
        for kind, queries in _cases(edition).items():
            with_cursors = [_behind(query, key, edition) for query in queries for key in keys]
            source.shuffle(with_cursors)
            times = sorted(_timed(api, store, query) for query in with_cursors)
            targets = [f"{_LIST}?{query}" for query in with_cursors]
            rate = wrk(port, process, targets, Path(folder), seconds=seconds, clients=8)
            rows.append(
                [
                    kind,
                    *(f"{times[int(len(times) * at)]:.0f}" for at in (0.5, 0.99)),
                    f"{times[-1]:.0f}",
                    f"{rate.requests:,.0f}",
                    f"{rate.p99:.1f}",
                    rate.errors,
                ]
            )
    print_table(["filter", "p50 us", "p99 us", "max us", "over HTTP RPS", "p99 ms", "errors"], rows)


def _cases(edition: Edition) -> dict[str, list[str]]:
    """Query strings by kind of filter."""
    last = int(edition.arrays["updated"].of(range(edition.count)).max())
    # Instants are in microseconds.
    instants = [last - days * 86_400_000_000 for days in (0, 1, 7, 30, 60)]
    since = [quote(from_micros(at).isoformat()) for at in instants]
    return {
        "none": ["limit=30", "limit=100"],
        "latest": ["version=latest&limit=30", "version=latest&limit=100"],
        "an exact version": ["version=1.3.0", "version=0.0.1-none"],
        **{
            f"search: {kind}": [f"search={quote(needle)}" for needle in needles]
            for kind, needles in _NEEDLES.items()
        },
        "updated_since": [f"updated_since={at}" for at in since],
        "search, latest, updated_since": [
            f"search={quote(needle)}&version=latest&updated_since={at}"
            for needle in ("server", "postgres", "qzxv")
            for at in since
        ],
    }


def _behind(query: str, key: bytes, edition: Edition) -> str:
    """Add a cursor to a query, so that its answer starts after a key."""
    selection = read_list(read_query(query.encode()), skew=0.0).selection
    began = edition.manifest.sequence
    return f"{query}&cursor={encode_cursor(key, selection, edition=None, sequence=began)}"


def _timed(api: Api, store: FixedEditions, query: str) -> float:
    """Make one answer; return the microseconds that it took."""
    begun = time.perf_counter()
    api.answer(Request(b"GET", _LIST.encode(), query.encode()), store)
    return (time.perf_counter() - begun) * 1e6
