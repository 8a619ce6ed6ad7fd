"""Access control: bearer keys per feed, and a rate limit (moving window) per client."""

import ipaddress
import math
import time
from collections.abc import Mapping
from pathlib import Path

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from serve.api.answers import Answer, problem
from serve.api.params import beside_prefix
from serve.feed.keys import KeyRing
from serve.policy.served_feed import ServedFeed
from serve.routes import words

_OPEN = words(open=True)


class AccessControl:
    """The keys below `root` and a limit of `per_minute` requests per client (0: none).

    A client is identified by its key, else by its address (for IPv6 by the /64 network), over all
    feeds. Each process counts for itself.
    """

    def __init__(self, root: Path, *, per_minute: int) -> None:
        self._root = root
        self._rings: dict[str, KeyRing] = {}
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    @property
    def counts(self) -> bool:
        """Whether there is a limit."""
        return self._limit is not None

    def admit(
        self, feed: ServedFeed, path: bytes, headers: Mapping[bytes, bytes], address: str
    ) -> tuple[str | None, Answer | None]:
        """The ID of the client's key, if it has one, and an answer if the client is refused.

        Raises KeysUnreadable.
        """
        key = None
        if feed.access == "key":
            key = self._key(feed, headers.get(b"authorization", b""))
            segments = beside_prefix(path)
            if key is None and not (len(segments) == 1 and segments[0] in _OPEN):
                # Guesses count too.
                return None, self._limited(client_name(address)) or _NO_KEY
        return key, self._limited(key or client_name(address))

    def _key(self, feed: ServedFeed, authorization: bytes) -> str | None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            return None
        ring = self._rings.setdefault(feed.name, KeyRing(self._root / feed.name / "keys.json"))
        return ring.owner(token.strip().decode("latin-1"))

    def _limited(self, client: str) -> Answer | None:
        if self._limit is None or self._limiter.hit(self._limit, client):
            return None
        reset = self._limiter.get_window_stats(self._limit, client).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        return problem(
            429,
            f"more than {self._limit.amount} requests in a minute; ask again in {wait} seconds",
            headers=((b"retry-after", str(wait).encode()),),
        )


_NO_KEY = problem(
    401,
    "This feed needs a key: send `Authorization: Bearer KEY`.",
    headers=((b"www-authenticate", b"Bearer"),),
)


def client_name(address: str) -> str:
    """The name under which an address is counted."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    # A socket for both families shows an IPv4 client as ::ffff:a.b.c.d.
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4:
        return str(parsed)
    # One site gets a whole /64, so a client could use a new address for every request.
    return str(ipaddress.ip_network((parsed, 64), strict=False))
