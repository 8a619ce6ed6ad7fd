"""Reading a registry: walks of its list, all versions of a name, one version.

Follows the read API under `/v0.1`. Entries are not interpreted here (`connectors.contract`), and
nothing is stored: a page comes out as it came in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode, urlsplit

from connectors.contract import PageHead, key_bytes, read_page
from connectors.errors import ConnectorError, MalformedPage
from connectors.http import Answer, HttpClient

PAGE = 100
_FALLBACK_LAG = timedelta(minutes=5)
_STALE = ("STALE", "UPDATING")


@dataclass(frozen=True)
class RawPage:
    """One list answer: its bytes, what the next request needs, and when it was asked.

    `asked_at` is on the upstream's clock (its Date header less the time the request took and one
    second); `stale` says that an edge cache answered with an old copy.
    """

    body: bytes
    next_cursor: str | None
    entries: int
    asked_at: datetime
    stale: bool


@dataclass(frozen=True)
class Missing:
    """The registry says that it has no such server or version."""


def base_url(url: str) -> str:
    """A registry's base without version prefix and trailing slash. Raises ConnectorError."""
    cut = url.strip().rstrip("/")
    for prefix in ("/v0.1", "/v0"):
        cut = cut.removesuffix(prefix)
    try:
        parts = urlsplit(cut)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    except ValueError:
        usable = False
    if not usable:
        raise ConnectorError(f"{url!r} is not a registry URL; write https://HOST[/PATH]", url=url)
    return cut.rstrip("/")


class Registry:
    """A registry that is read through `http`; `now` is used only where upstream sends no Date."""

    def __init__(self, http: HttpClient, url: str, *, now: Callable[[], datetime]) -> None:
        self._http = http
        self.url = base_url(url)
        self._now = now

    def walk(self, *, since: str | None = None, cursor: str | None = None) -> Iterator[RawPage]:
        """Yield all pages from `cursor` on; ends only where upstream says so.

        Without `since` every entry, deleted ones too. Raises MalformedPage if keys do not rise
        strictly from page to page or a cursor repeats, else the errors of the HTTP door.
        """
        last: tuple[bytes, bytes] | None = None
        seen = {cursor} if cursor else set()
        query = {"limit": str(PAGE)}
        query.update({"updated_since": since} if since else {"include_deleted": "true"})
        while True:
            url = self._url("servers", query | ({"cursor": cursor} if cursor else {}))
            answer = self._http.get(url)
            head = read_page(answer.body, url=url)
            last = _risen(head, last, url)
            cursor = head.next_cursor
            if cursor is None and len(head.entries) >= PAGE:
                raise MalformedPage(
                    f"{url} is a full page that names no next one; an end is a page that is not "
                    "full, so the walk was stopped",
                    url=url,
                )
            yield self._page(answer, head)
            if cursor is None:
                return
            if cursor in seen:
                raise MalformedPage(f"{url} names the cursor {cursor!r} twice", url=url)
            seen.add(cursor)

    def versions(self, name: str) -> RawPage | Missing:
        """All versions of a name, deleted ones too; not cached at the edge."""
        url = self._url(f"servers/{quote(name, safe='')}/versions", {"include_deleted": "true"})
        answer = self._http.get(url, expect=frozenset({200, 404}))
        if answer.status == 404:
            return Missing()
        return self._page(answer, read_page(answer.body, url=url))

    def version(self, name: str, version: str) -> Answer | Missing:
        """One version, also when it is deleted; the answer's body is the entry."""
        path = f"servers/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        answer = self._http.get(
            self._url(path, {"include_deleted": "true"}), expect=frozenset({200, 404})
        )
        return Missing() if answer.status == 404 else answer

    def _url(self, path: str, query: dict[str, str]) -> str:
        return f"{self.url}/v0.1/{path}?{urlencode(query)}"

    def _page(self, answer: Answer, head: PageHead) -> RawPage:
        stale = answer.headers.get("x-registry-cache", "").upper() in _STALE
        return RawPage(
            answer.body, head.next_cursor, len(head.entries), self._asked_at(answer), stale
        )

    def _asked_at(self, answer: Answer) -> datetime:
        try:
            date = parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError, TypeError):
            return self._now() - _FALLBACK_LAG
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
        return date - timedelta(seconds=answer.duration + 1)


def _risen(
    head: PageHead, last: tuple[bytes, bytes] | None, url: str
) -> tuple[bytes, bytes] | None:
    """Check that this page lies behind the last one; return its last readable key."""
    keys = [key for key in map(key_bytes, head.entries) if key is not None]
    for key in keys:
        if last is not None and key <= last:
            raise MalformedPage(
                f"{url} repeats or goes back: {key!r} after {last!r}; the walk was stopped", url=url
            )
        last = key
    return last
