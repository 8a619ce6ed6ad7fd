"""Which feeds are served, and how, according to their documents.

feeds/served.json   the feeds as the documents described them last, and a digest of the documents: a
                    server that finds them unchanged starts without compiling their rules
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
    """The feeds of the documents in a folder (None: the shipped ones).

    `compiler` returns the compiler for their rules; it is called only if a document changed. A feed
    whose document is broken is served as its last good document says. Raises PolicyInvalid if there
    is no document at all.
    """
    digest, memory = _digest(folder), feed_root / "served.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(memory.read_bytes(), type=_Served)
        if known.digest == digest:
            return known.feeds
    from serve.policy.reader import read_policies  # late: most starts find nothing new

    policies = read_policies(folder, compiler())
    served = [policy.served for policy in policies.valid]
    for feed in served:
        try:
            Feed(feed_root, feed.name).identify(feed)
        except OSError as error:
            log.warning("not noted how feed=%s is served error=%s", feed.name, error)
    for name, problem in policies.broken.items():
        last = Feed(feed_root, name).identity()
        log.error("%s; feed=%s is %s", problem, name, "served as before" if last else "not served")
        if last is not None and last.base_path not in {feed.base_path for feed in served}:
            served.append(last)
    if not policies.broken:  # else the next start must try, and report, again
        with contextlib.suppress(OSError):
            replace_file(memory, msgspec.json.encode(_Served(digest, served)))
    return served


def _digest(folder: Path | None) -> str:
    """A digest of the documents' names and bytes, and of the version of the software."""
    place: Traversable = folder or files("serve.policy") / "feeds"
    digest = hashlib.sha256(version("subregistry").encode())
    for name, data in sorted(_documents(place)):
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(data), data))
    return digest.hexdigest()


def _documents(place: Traversable) -> Iterator[tuple[str, bytes]]:
    for item in place.iterdir() if place.is_dir() else ():
        if item.name.endswith(".toml") and item.is_file():
            yield item.name, item.read_bytes()
