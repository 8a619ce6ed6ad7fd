"""Which feeds are served, and how: as their documents say.

feeds/served.json   what the documents said when they were read last, and a digest of them: a server
                    that finds them unchanged needs not compile their rules to start
"""

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from serve.disk import replace_file
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from warehouse.rules.language import Compiler

log = logging.getLogger(__name__)


class _Served(msgspec.Struct):
    digest: str
    feeds: list[ServedFeed]


def served_feeds(
    feed_root: Path, folder: Path | None, compiler: Callable[[], Compiler]
) -> list[ServedFeed]:
    """The feeds of the documents in a folder (None: those shipped).

    `compiler` gives what checks their rules, and is called only if a document changed. One whose
    document is broken is served as its last good document said. Raises PolicyInvalid if
    there is no document at all.
    """
    digest, memory = _digest(folder), feed_root / "served.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(memory.read_bytes(), type=_Served)
        if known.digest == digest:
            return known.feeds
    from serve.policy.policy import read_policies  # late: most starts find nothing new

    found = read_policies(folder, compiler())
    served = [policy.served for policy in found.valid]
    for feed in served:
        try:
            Feed(feed_root, feed.name).identify(feed)
        except OSError as trouble:
            log.warning("not noted how feed=%s is served error=%s", feed.name, trouble)
    for name, error in found.broken.items():
        last = Feed(feed_root, name).identity()
        log.error("%s; feed=%s is %s", error, name, "served as before" if last else "not served")
        if last is not None and last.base_path not in {feed.base_path for feed in served}:
            served.append(last)
    if not found.broken:
        with contextlib.suppress(OSError):
            replace_file(memory, msgspec.json.encode(_Served(digest, served)))
    return served


def _digest(folder: Path | None) -> str:
    """Of the documents' names and bytes, and of the software that reads them."""
    place: Traversable = folder or files("serve.policy") / "feeds"
    digest = hashlib.sha256(version("subregistry").encode())
    for name, data in sorted(_documents(place)):
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(data), data))
    return digest.hexdigest()


def _documents(place: Traversable) -> Iterator[tuple[str, bytes]]:
    for item in place.iterdir() if place.is_dir() else ():
        if item.name.endswith(".toml") and item.is_file():
            yield item.name, item.read_bytes()
