"""The access log: one JSON object a line, without keys and other secrets of clients."""

import logging
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from urllib.parse import unquote

import msgspec

from serve.search.index import FILTERS

_SHOWN = frozenset(
    {"limit", "search", "version", "updated_since", "include_deleted", "edition", "as_of"}
    | {"since_sequence", "raw", "q", "min_downloads", *FILTERS}
)
_KEY = re.compile(r"sr_[0-9a-f]{8}_[\w-]+")
_log = logging.getLogger("subregistry.access")


def open_log(target: str) -> None:
    """Log to a file, which is reopened after a rotation, or to standard error (`-`)."""
    handler = logging.StreamHandler(sys.stderr) if target == "-" else WatchedFileHandler(target)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _log.handlers[:] = [handler]
    _log.propagate = False
    _log.setLevel(logging.INFO)


def is_open() -> bool:
    """Whether requests are logged at all."""
    return bool(_log.handlers)


@dataclass(frozen=True)
class RequestRecord:
    """One request and its answer. `size` is in bytes, `ms` the milliseconds that it took here."""

    feed: str | None
    method: str
    path: bytes
    query: dict[str, bytes]
    status: int
    size: int
    ms: float
    client: str
    key: str | None
    agent: bytes


def write(asked: RequestRecord) -> None:
    """Log a request: of its query only our own parameters, of its headers only the agent."""
    if not is_open():
        return
    line = {
        "at": datetime.now(UTC),
        "feed": asked.feed,
        "method": asked.method,
        "path": masked(asked.path, 2000),
        "query": {
            name: masked(value, 200) for name, value in asked.query.items() if name in _SHOWN
        },
        "status": asked.status,
        "bytes": asked.size,
        "ms": round(asked.ms, 3),
        "client": asked.client,
        "key": asked.key,
        "agent": masked(asked.agent, 200),
    }
    _log.info(msgspec.json.encode(line).decode())


def masked(value: bytes, length: int) -> str:
    """Text from a client, cut to a length; a key that was sent in the wrong place is masked, also
    one that is percent-encoded, once or often."""
    shown = plain = value.decode("utf-8", "replace")
    for _ in range(3):
        plain = unquote(plain)
        if _KEY.search(plain):
            shown = plain
            break
    return _KEY.sub("sr_…", shown)[:length]
