"""The types of the API's answers; the OpenAPI document and the JSON Schemas are made from them.

Docstrings of the classes are public descriptions. Entries are served as the bytes that an edition
holds; tests validate those bytes against these types.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from serve.entry.meta import Official, PackageFacts, Sequence, State
from serve.entry.reasons import EntryState, EntryVerdict, Treatment
from serve.entry.render import OFFICIAL
from serve.entry.strict import Server
from serve.feed.ledger import Published
from serve.policy.trace import NeededChange, RuleResult, SeenValue


class EntryMeta(Struct):
    official: Official = msgspec.field(name=OFFICIAL)


class ServerResponse(Struct):
    server: Server
    meta: EntryMeta = msgspec.field(name="_meta")


class UpstreamEntry(Struct):
    """An entry exactly as upstream sent it, whatever it contains; only for `raw=true`."""

    server: dict[str, Any]
    meta: dict[str, Any] = msgspec.field(name="_meta")


class PageMetadata(Struct, rename="camel"):
    count: int
    next_cursor: str | UnsetType = UNSET


class ServerList(Struct):
    servers: list[ServerResponse]
    metadata: PageMetadata


class CatalogEntry(Struct):
    server: Server


class Catalog(Struct):
    """The latest version of every server, in one document."""

    servers: list[CatalogEntry]


class Health(Struct, rename="camel"):
    """How fresh the feed is. `entries` counts what it shows, without `tombstones`. `freshness`
    compares the age of `confirmedAt` (the pull that the feed shows) with `objective` (seconds);
    `action` says what to do if it is not `fresh`."""

    status: Literal["ok"]
    feed: str
    edition: str
    sequence: Sequence
    published_at: datetime | None
    entries: int
    tombstones: int
    freshness: Literal["fresh", "stale", "never"]
    confirmed_at: datetime | None
    objective: float
    action: str | None


class Highlight(Struct):
    """Part of a field; `ranges` are the start and end of each match in `text`, in characters."""

    field: str
    text: str
    ranges: list[tuple[int, int]]


class Result(Struct):
    """A server that matches the search, in its latest version as the list shows it."""

    score: float
    highlights: list[Highlight]
    entry: ServerResponse


class ResultList(Struct):
    results: list[Result]
    metadata: PageMetadata


class Ping(Struct):
    pong: bool


class Version(Struct):
    version: str
    git_commit: str
    build_time: datetime


class EditionInfo(Published, frozen=True):
    """An edition that is or was live; `kept` says whether it can still be requested.

    `entries` counts what it shows, without `tombstones`; `treatments` counts entries by named
    repair (`repaired:RULE`, `withheld:RULE`).
    """

    live: bool
    kept: bool


class EditionList(Struct):
    editions: list[EditionInfo]
    metadata: PageMetadata


class Change(Struct, rename="camel"):
    """The last change of an entry, with the entry in its present state.

    A version that a cooldown holds is announced with the kind `held` and without an entry;
    `heldUntil` is when the cooldown ends, if that is known.
    """

    kind: Literal["added", "changed", "restored", "deleted", "withdrawn", "withheld", "held"]
    name: str
    version: str
    sequence: Sequence
    published_at: datetime
    entry: ServerResponse | UnsetType = UNSET
    held_until: datetime | UnsetType = UNSET


class ChangeMetadata(Struct, rename="camel"):
    """When a page has no `nextCursor`, its `sequence` is your next `since_sequence`. If your own is
    smaller than `firstSequence` and not 0, the feed was rebuilt since your last walk."""

    count: int
    sequence: Sequence
    first_sequence: Sequence
    next_cursor: str | UnsetType = UNSET


class ChangeList(Struct):
    changes: list[Change]
    metadata: ChangeMetadata


class Seen(Struct):
    state: State
    sequence: Sequence


class Difference(Struct, rename={"before": "from", "after": "to"}):
    """How an entry differs between two editions; `from` is absent if it was not there yet."""

    kind: Literal["added", "removed", "changed"]
    name: str
    version: str
    after: Seen | UnsetType = UNSET
    before: Seen | UnsetType = UNSET


class DifferenceList(Struct, rename={"before": "from", "after": "to"}):
    before: str
    after: str
    differences: list[Difference]
    metadata: PageMetadata


class Explanation(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Why a version is in the feed or not: the rule that decided, and what was done to the entry.

    `summary` says it in one sentence. `rules`, `values` and `nearest` show how the rules came to
    the verdict, and what would admit the entry. `packages` are the facts that are served with it.
    """

    # The members are those of `serve.entry.reasons.Reason` and of `serve.policy.trace.Trace`.

    version: str
    summary: str
    state: EntryState
    verdict: EntryVerdict
    rule: str
    reason: str
    unknown: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    held_until: datetime | None = None
    packages: tuple[PackageFacts, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    values: dict[str, SeenValue] = msgspec.field(default_factory=dict)
    nearest: tuple[NeededChange, ...] = ()


class ServerExplanation(Struct, rename="camel"):
    """Every known version of a server, latest publication first; versions not served come last. A
    page has at most ten."""

    name: str
    edition: str
    published_at: datetime | None
    versions: list[Explanation]
    metadata: PageMetadata


class JsonFeedItem(Struct):
    id: str
    url: str
    title: str
    content_text: str
    date_published: datetime
    tags: list[str]


class JsonFeed(Struct):
    version: Literal["https://jsonfeed.org/version/1.1"]
    title: str
    home_page_url: str
    feed_url: str
    items: list[JsonFeedItem]


class ProblemError(Struct):
    message: str
    location: str
    value: str | int | None


class Problem(Struct, omit_defaults=True):
    """A problem (RFC 9457); `error` repeats `detail` for clients of the generic registry API."""

    title: str
    status: int
    detail: str
    error: str
    errors: list[ProblemError] = []
