"""A thread that follows live feeds, so that no request waits for an edition to be opened."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from serve.errors import ServeError
from serve.server.live_editions import LOOK_EVERY, LiveEditions
from serve.server.metrics import Metrics

log = logging.getLogger(__name__)


@contextmanager
def following(
    stores: Sequence[LiveEditions], metrics: Metrics | None, *, changed: Callable[[], None]
) -> Iterator[None]:
    """Follow feeds while the block runs; calls `changed` when a feed serves something else."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(LOOK_EVERY):
            for store in stores:
                try:
                    if store.look():
                        changed()
                    _show(store, metrics)
                except Exception:  # one feed's defect must not end the thread for all
                    log.exception("a defect: feed=%s is not followed", store.served.name)
            if metrics:
                metrics.flush()

    for store in stores:
        store.watch()
        _show(store, metrics)
    thread = threading.Thread(target=follow, name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show(store: LiveEditions, metrics: Metrics | None) -> None:
    if metrics is None:
        return
    with suppress(ServeError, OSError):
        confirmed = store.confirmed()
        at = confirmed.timestamp() if confirmed else None
        metrics.show(store.served.name, store.live().manifest, at)
