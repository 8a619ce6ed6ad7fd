"""Reading a registry: walks of its list, all versions of a name, one version.

Follows the read API under `/v0.1`. Entries are not interpreted (`connectors.upstreams.contract`
does that) and nothing is stored: pages come out as they came in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

from connectors.errors import (
    BodyRefused,
    MalformedPage,
    UnexpectedStatus,
    Unreachable,
)
from connectors.http.answers import HttpResponse
from connectors.http.client import HttpClient
from connectors.upstreams.kinds import PROMISES, Kind, Promises, kind_of
from connectors.upstreams.page import read_head, read_page
from connectors.upstreams.places import base_url
from connectors.upstreams.raw_page import (
    Key,
    RawPage,
    check_cursor,
    left_over,
    refuse_repeated,
    risen,
)

PAGE = 100
MAX_PAGES, MAX_BYTES = 100, 64 << 20
"""Of all versions of one name, which are held in memory."""
_FALLBACK_LAG = timedelta(minutes=5)
_STALE = ("STALE", "UPDATING")


@dataclass(frozen=True)
class Missing:
    """The registry says that it has no such server or version."""


class Registry:
    """A registry, read through `http`; `now` is used only if upstream sends no Date.

    `kind` None: the first page of a walk tells it, and then it stands in `kind`.
    """

    def __init__(
        self,
        http: HttpClient,
        url: str,
        *,
        now: Callable[[], datetime],
        page: int = PAGE,
        kind: Kind | None = Kind.OFFICIAL,
    ) -> None:
        self.kind = kind
        self._http = http
        self._base = base_url(url)
        self.url = self._base
        self._now = now
        self._limit = page

    @property
    def promises(self) -> Promises:
        """What the registry keeps to; while its kind is unknown, as little as any."""
        return PROMISES[self.kind or Kind.REGISTRY]

    def walk(self, *, since: str | None = None, cursor: str | None = None) -> Iterator[RawPage]:
        """Yield all pages from `cursor` on; ends only where upstream says so.

        Without `since` yields every entry, deleted ones too. Raises MalformedPage if keys do not
        rise strictly from page to page, if a cursor repeats, or if a cursor that names an entry
        lies behind the page's last; else the errors of the HTTP client. A page is stale if it lacks
        an entry that the answer before it showed.
        """
        last: Key | None = None
        expected: Key | None = None  # shown before, and left for the next page
        seen = {cursor} if cursor else set()
        query = {"updated_since": since} if since else {"include_deleted": "true"}
        fullest = 0
        while True:
            first = page = self._list(query, cursor, self._limit)
            if self.kind is None:
                self.kind = kind_of(page.entries, has_metadata=page.has_metadata)
            if not self.promises.ordered:
                yield from self._walk_loosely(page, query, seen)
                return
            # Upstream may cap pages below our limit; on a full walk's first page we do not know the
            # cap.
            full_size = min(self._limit, fullest or (self._limit if since or cursor else 2))
            if page.next_cursor is None and (
                not page.entries or len(page.entries) >= max(full_size, 2)
            ):
                page = self._end(page, query, cursor)
            left = left_over(first, page)
            if expected and expected not in page.keys:
                page = replace(page, stale=True)
            expected = left
            last = risen(page, last)
            check_cursor(page)
            yield page
            if page.next_cursor is None:
                return
            refuse_repeated(page, page.next_cursor, seen)
            cursor = page.next_cursor
            seen.add(cursor)
            fullest = max(fullest, len(page.entries))

    def _walk_loosely(
        self, page: RawPage, query: dict[str, str], seen: set[str]
    ) -> Iterator[RawPage]:
        """The pages from this one on, in any order and of any size, until one names no next."""
        while True:
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return
            refuse_repeated(page, cursor, seen)
            seen.add(cursor)
            page = self._list(query, cursor, self._limit)

    def is_empty(self) -> bool:
        """Whether the whole list shows no entry at all; one request."""
        return not self._list({"include_deleted": "true"}, None, 2).entries

    def versions(self, name: str) -> list[RawPage]:
        """All versions of a name, deleted ones too; never an old copy of an edge cache.

        The official registry gives them on one page. Empty if it has no such name. Raises
        MalformedPage for more than MAX_PAGES pages or MAX_BYTES.
        """
        path = f"servers/{quote(name, safe='')}/versions"
        pages: list[RawPage] = []
        size = 0
        position: dict[str, str] = {}
        while True:
            page = self._one(path, position)
            if isinstance(page, Missing):
                return []
            pages.append(page)
            size += sum(len(entry) for entry in page.entries)
            if len(pages) > MAX_PAGES or size > MAX_BYTES:
                raise MalformedPage(
                    f"{page.url}: the versions of one name come to more than {MAX_PAGES} pages or "
                    f"{MAX_BYTES >> 20} MiB; they were not read",
                    url=page.url,
                )
            cursor = page.next_cursor
            if cursor is None:
                return pages
            refuse_repeated(page, cursor, {earlier.next_cursor for earlier in pages[:-1]})
            position = {"cursor": cursor}

    def version(self, name: str, version: str) -> RawPage | Missing:
        """One version, also a deleted one, as a page of one entry; never an old copy.

        An answer with another version is Missing (`latest` is a word of the API).
        """
        path = f"servers/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        page = self._one(path, {}, frame=b'{"servers":[%b],"metadata":{}}')
        wanted = (name.encode(), version.encode())
        if isinstance(page, RawPage) and any(key not in (None, wanted) for key in page.keys):
            return Missing()
        return page

    def _one(self, path: str, position: dict[str, str], frame: bytes = b"%b") -> RawPage | Missing:
        url = self._url(path, {"include_deleted": "true"} | position)
        answer = self._http.get(url, expect=frozenset({200, 404}))
        if _is_stale(answer):
            raise Unreachable(f"{url} was answered with an old copy of a cache", url=url)
        if answer.status == 200:
            return self._page(answer, frame % answer.body)
        # A 404 that is not JSON comes from a wrong URL or a proxy, not from a registry.
        if answer.body.lstrip()[:1] != b"{":
            raise UnexpectedStatus(
                f"{url} answered 404 and not as a registry does; is the upstream URL right?",
                url=url,
                status=404,
            )
        return Missing()

    def _list(self, query: dict[str, str], cursor: str | None, limit: int) -> RawPage:
        """One page. If it is too large to read, ask for a quarter as many entries, down to one."""
        while True:
            position = {"cursor": cursor} if cursor else {}
            url = self._url("servers", {"limit": str(limit)} | query | position)
            try:
                answer = self._http.get(url)
            except BodyRefused:
                if limit == 1:
                    raise
                limit = max(limit // 4, 1)
            else:
                return self._page(answer, answer.body)

    def _end(self, page: RawPage, query: dict[str, str], cursor: str | None) -> RawPage:
        """Confirm that this really is the last page: it is empty, or full and names no next.

        Another limit bypasses caches, and for a full page shows what lies behind it. A registry
        that returns more entries than we asked for returns all it has.
        """
        limit = (len(page.entries) or self._limit) - 1
        again = self._list(query, cursor, limit)
        shown = len(again.entries)
        confirmed = shown > limit or (not page.entries and shown < limit)
        if again.next_cursor is None and not confirmed:
            count = len(page.entries)
            raise MalformedPage(
                f"{page.url} ends after {count} entries, and asked for {limit} names no "
                "next page either; an end is a page that is not full, so the walk was stopped",
                url=page.url,
            )
        return again

    def _url(self, path: str, query: dict[str, str]) -> str:
        return f"{self._base}/v0.1/{path}?{urlencode(query)}"

    def _page(self, answer: HttpResponse, body: bytes) -> RawPage:
        head = read_page(body, url=answer.url)
        if self.promises.ordered and not head.has_metadata:
            raise MalformedPage(
                f"{answer.url} is not a page of a registry (the page has no metadata); is the "
                "upstream URL right?",
                url=answer.url,
            )
        return RawPage(
            answer.url,
            tuple(bytes(raw) for raw in head.entries),
            tuple(read_head(raw) for raw in head.entries),
            head.next_cursor,
            self._asked_at(answer),
            _is_stale(answer),
            head.has_metadata,
        )

    def _asked_at(self, answer: HttpResponse) -> datetime:
        try:
            date = parsedate_to_datetime(answer.headers["date"])
            date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
            return date - timedelta(seconds=answer.duration + 1)
        except (KeyError, ValueError, TypeError, OverflowError):
            return self._now() - _FALLBACK_LAG


def _is_stale(answer: HttpResponse) -> bool:
    return answer.headers.get("x-registry-cache", "").upper() in _STALE
