"""What the API answers, as types: the OpenAPI document and the JSON Schemas are made of these.

Entries are served as the bytes that an edition holds; tests hold those bytes against these types.
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
    """An entry as upstream sent it, whatever is in it; for `raw=true` only."""

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
    """The latest version of every server, whole."""

    servers: list[CatalogEntry]


class Health(Struct, rename="camel"):
    """`freshness` compares the age of `confirmed_at`, the pull that the feed shows, with
    `objective` (seconds); `action` says what to do where it is not `fresh`."""

    status: Literal["ok"]
    feed: str
    edition: str
    sequence: Sequence
    published_at: datetime | None
    entries: int
    freshness: Literal["fresh", "stale", "never"]
    confirmed_at: datetime | None
    objective: float
    action: str | None


class Highlight(Struct):
    """Part of a field, with the places (in characters) of what was searched for."""

    field: str
    text: str
    ranges: list[tuple[int, int]]


class Result(Struct):
    """A server that was found, in its latest version as the list shows it."""

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
    """An edition that is or was live; `kept` says whether it can still be asked for.

    `treatments` counts entries by named repair (`repaired:RULE`, `withheld:RULE`).
    """

    live: bool
    kept: bool


class EditionList(Struct):
    editions: list[EditionInfo]
    metadata: PageMetadata


class Change(Struct, rename="camel"):
    """The last change of an entry, with the entry as it is since.

    A version that a cooldown holds is announced with the kind `held` and no entry; `heldUntil` is
    when it may come, if that is known.
    """

    kind: Literal["added", "changed", "restored", "deleted", "withdrawn", "withheld", "held"]
    name: str
    version: str
    sequence: Sequence
    published_at: datetime
    entry: ServerResponse | UnsetType = UNSET
    held_until: datetime | UnsetType = UNSET


class ChangeMetadata(Struct, rename="camel"):
    """`sequence` is the next `since_sequence` once a page names no `nextCursor`; a reader whose
    own is smaller than `firstSequence` and not 0 follows a feed that was rebuilt."""

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
    """What became of an entry between two editions; `from` is not there if it was not."""

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
    """Why a version is in the feed or not: the rule that decided, and what was done to it.

    As in Reason and Trace; `packages` are the facts served with it.
    """

    version: str
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
    """Every known version of a server, latest publication first where it is served."""

    name: str
    edition: str
    published_at: datetime | None
    versions: list[Explanation]


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
    """RFC 9457; `error` repeats the detail for clients of the generic registry API."""

    title: str
    status: int
    detail: str
    error: str
    errors: list[ProblemError] = []
