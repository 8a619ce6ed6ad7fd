"""The metrics of a server process, in Prometheus' text format.

Several workers share their counts through files (prometheus_client's multiprocess mode) if
PROMETHEUS_MULTIPROC_DIR names a folder.
"""

import threading
from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from serve.api.answers import Answer
from serve.edition.manifests import Manifest
from serve.routes import ROUTES

_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)


class Metrics:
    """Requests by feed, route and status; what is live. `shared`: with other processes."""

    def __init__(self, *, shared: bool = False) -> None:
        self._registry = CollectorRegistry()
        # Shared metrics must not be registered: MultiProcessCollector reads them from the files.
        own = None if shared else self._registry
        self._requests = Counter(
            "subregistry_requests",
            "Requests that were answered",
            ["feed", "route", "status"],
            registry=own,
        )
        self._seconds = Histogram(
            "subregistry_request_seconds",
            "Time to make an answer that was not ready",
            ["feed", "route"],
            buckets=_BUCKETS,
            registry=own,
        )
        gauges = {
            "sequence": "Sequence of the live edition",
            "published_timestamp_seconds": "When the live edition was published",
            "confirmed_timestamp_seconds": "As of when the feed shows what upstream has",
            "entries": "Entries of the live edition, tombstones included",
            "tombstones": "Entries of the live edition that are gone",
        }
        self._gauges = {
            name: Gauge(
                f"subregistry_feed_{name}",
                text,
                ["feed"],
                registry=own,
                multiprocess_mode="livemostrecent",
            )
            for name, text in gauges.items()
        }
        self._waiting: dict[tuple[str, str, int], list[float]] = {}
        self._again: Counts[tuple[str, str, int]] = Counts()
        self._told: Counts[tuple[str, str, int]] = Counts()
        self._lock = threading.Lock()
        if shared:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]

    def count(self, feed: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `seconds` is the time it took. The next `flush` writes it."""
        waiting = self._waiting.get((feed, route, status))
        if waiting is None:
            waiting = self._waiting[feed, route, status] = []
        waiting.append(seconds)

    def count_again(self, feed: str, route: str, status: int) -> None:
        """Count a request whose answer was ready."""
        self._again[feed, route, status] += 1

    def flush(self) -> None:
        """Write the counts to the metrics."""
        with self._lock:
            for (feed, route, status), waiting in list(self._waiting.items()):
                # `count` may append meanwhile, from another thread: take only what is there now.
                taken = waiting[: len(waiting)]
                del waiting[: len(taken)]
                self._requests.labels(feed, route, str(status)).inc(len(taken))
                histogram = self._seconds.labels(feed, route)
                for seconds in taken:
                    histogram.observe(seconds)
            for key, count in list(self._again.items()):
                # No lock for `count_again`, so its counts are never reset; add what is new.
                feed, route, status = key
                self._requests.labels(feed, route, str(status)).inc(count - self._told[key])
                self._told[key] = count

    def show(self, feed: str, manifest: Manifest, confirmed: float | None) -> None:
        """Set the gauges of a feed's live edition; `confirmed` is in seconds since 1970."""
        values: dict[str, float | None] = {
            "sequence": manifest.sequence,
            "published_timestamp_seconds": (
                manifest.published_at.timestamp() if manifest.published_at else None
            ),
            "confirmed_timestamp_seconds": confirmed,
            "entries": manifest.entries,
            "tombstones": manifest.tombstones,
        }
        for name, value in values.items():
            if value is not None:
                self._gauges[name].labels(feed).set(value)

    def answer(self) -> Answer:
        """All metrics, as /metrics shows them."""
        self.flush()
        return Answer(200, (generate_latest(self._registry),), CONTENT_TYPE_LATEST.encode())


def route_of(segments: Sequence[bytes]) -> str:
    """The label of a route; never a client's own text, so there are few labels."""
    match segments:
        case [b"servers"]:
            return "list"
        case [b"servers", *_, b"versions"]:
            return "versions"
        case [b"servers", *_]:
            return "entry"
        case [word, *_] if word in _LABELS:
            return _LABELS[word]
        case _:
            return "other"


_LABELS = {route.word.encode(): route.label for route in ROUTES if route.label}
