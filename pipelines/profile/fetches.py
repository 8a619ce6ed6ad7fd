"""Fetches: every package that is due, each host at its own pace, in batches to be stored.

A bounded producer-consumer pipeline. `pipelines.profile.profile` decides what a batch means.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue

from connectors.errors import GARBAGE
from connectors.registries.clients import PackageRegistries
from connectors.registries.lookup import KnownVersion, PackageRequest, PackageResponse
from enrich.ecosystems import read
from enrich.profiles import Profile
from warehouse.database.session import Row

log = logging.getLogger(__name__)

BATCH = 200
"""Limit of packages that are asked for and not stored yet."""
_BELIEVED_AFTER = 3


@dataclass(frozen=True)
class Profiled:
    """The result for one package; `fetched` comes without its documents, which may be large."""

    row: Row
    fetched: PackageResponse
    profile: Profile | None


def fetched_batches(
    registries: PackageRegistries, due: list[Row], *, today: int, end: float
) -> Iterator[list[Profiled]]:
    """Fetch all rows, in their order and at the pace of each host; leave out rows not asked.

    At most `BATCH` packages are asked for before the caller takes them.
    """
    room, stopped = threading.Semaphore(BATCH), threading.Event()
    finished: SimpleQueue[Profiled | BaseException | None] = SimpleQueue()

    def work(row: Row) -> None:
        room.acquire()  # backpressure: wait for the caller to store earlier answers
        answer: Profiled | BaseException | None = None
        try:
            if not stopped.is_set() and time.monotonic() < end:
                answer = _ask(registries, row, today)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            answer = error
        if answer is None:  # a row without an answer takes no room
            room.release()
        finished.put(answer)

    pools = {
        origin: ThreadPoolExecutor(registries.slots(origin))
        for origin in {row["origin"] for row in due}
    }
    try:
        for row in due:
            pools[row["origin"]].submit(work, row)
        batch: list[Profiled] = []
        for _ in due:
            answer = finished.get()
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None:
                batch.append(answer)
            # Half of the limit: fetching goes on while the caller stores a batch.
            if len(batch) == BATCH // 2:
                yield batch
                room.release(len(batch))
                batch = []
        if batch:
            yield batch
    finally:
        # Wake every thread that waits for room; `stopped` makes them end without a request.
        stopped.set()
        room.release(len(due) + 1)
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)


def _ask(registries: PackageRegistries, row: Row, today: int) -> Profiled | None:
    """Fetch one package; None while its host is paused."""
    origin = registries.origins.find(row["origin"])
    fetched = registries.fetch(_target(row, origin.url if origin else "", today))
    if fetched is None:
        return None
    try:
        profile = read(row["origin"], fetched, tuple(row["versions"]))
    except GARBAGE:
        key = row["origin"], row["package"]
        log.warning("an answer for %s %s was not understood", *key, exc_info=True)
        profile = None
    return Profiled(row, replace(fetched, documents=()), profile)


def _target(row: Row, source: str, today: int) -> PackageRequest:
    """What to ask, and what is known from the same source.

    The request is conditional only if the last one had the same versions and left nothing open.
    New versions come first, then the others in an order that changes daily, because a fetch may not
    reach them all.
    """
    here = row["source"] == source
    known: dict[str, KnownVersion] = {}
    if here and row["known_versions"]:
        values = map(KnownVersion, row["known_digests"], row["known_provenances"])
        known = dict(zip(row["known_versions"], values, strict=True))
    absent_before = frozenset(row["missing"])
    new = [
        version
        for version in row["versions"]
        if version not in known and version not in absent_before
    ]
    old = [version for version in row["versions"] if version in known or version in absent_before]
    old.sort(key=lambda version: hashlib.sha256(f"{today} {version}".encode()).digest())
    same = row["versions_hash"] == row["checked_versions_hash"]
    whole = here and same and not row["missing"] and not row["deferred"]
    # An index that stays older is not a stale cache: its serials restarted, so forget the serial.
    believed = here and row["failures"] < _BELIEVED_AFTER
    return PackageRequest(
        origin=row["origin"],
        package=row["package"],
        versions=(*new, *old),
        known=known,
        absent_before=absent_before,
        etag=(row["etag"] or "") if whole else "",
        last_modified=(row["last_modified"] or "") if whole else "",
        serial=row["serial"] if believed else None,
        variant=row["variant"] or "",
    )
