"""What the API answers, as types: the OpenAPI document and the JSON Schemas are made of these.

Entries are served as the bytes that an edition holds; tests hold those bytes against these types.
"""

from datetime import datetime
from inspect import cleandoc
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.ledger import Published
from serve.records import Reason
from serve.render import OFFICIAL
from serve.strict import Server

Json = dict[str, Any]  # a JSON Schema
Sequence = Annotated[int, Meta(ge=1, description="Rises with every edition of the feed")]
State = Literal["admitted", "deleted", "withdrawn", "withheld"]


class Official(Struct, rename="camel", kw_only=True):
    status: Literal["active", "deprecated", "deleted"]
    status_changed_at: datetime
    status_message: str | UnsetType = UNSET
    published_at: datetime
    updated_at: datetime
    is_latest: bool


class FeedBlock(Struct, rename="camel"):
    """`NAMESPACE/feed` under `_meta`: where an entry stands in this feed, and since when.

    `edition`, `sequence` and `publishedAt` are those of its last change.
    """

    state: State
    edition: str
    sequence: Sequence
    published_at: datetime


class PackageFacts(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What one claimed package is known to be. Absent members are not known.

    `signals` are reason codes (docs/curators.md); `ownership` is the publisher's claim to this very
    server name, checked again by the official rules, and `ownershipNow` the last such check where
    an earlier one came to another verdict. `advisories` are ids of OSV; none at all: not looked
    for. `behind` is releases, `daysBehind` days.
    """

    registry_type: str
    identifier: str
    version: str | None = None
    purl: str | None = None
    state: Literal["known", "unknown", "not_applicable"]
    reason: str | None = None
    outcome: str | None = None
    version_state: str | None = None
    version_outcome: str | None = None
    absent: bool | None = None
    latest_version: str | None = None
    published_at: datetime | None = None
    deprecated: str | None = None
    yanked: bool | None = None
    license: str | None = None
    install_scripts: bool | None = None
    provenance: bool | None = None
    digest: str | None = None
    server_names: tuple[str, ...] | None = None
    repository_url: str | None = None
    ownership: str | None = None
    ownership_now: str | None = None
    availability: str | None = None
    behind: int | None = None
    days_behind: int | None = None
    resolved_version: str | None = None
    yanked_reason: str | None = None
    provenance_repository: str | None = None
    repository_matches: bool | None = None
    first_published_at: datetime | None = None
    last_published_at: datetime | None = None
    digest_moved_at: datetime | None = None
    owners_changed_at: datetime | None = None
    name_reused_at: datetime | None = None
    claimants: int | None = None
    evidence_sha256: str | None = None
    advisories: tuple[str, ...] | None = None
    severities: tuple[str, ...] = ()
    malicious: bool = False
    signals: tuple[str, ...] = ()
    source: str | None = None
    observed_at: datetime | None = None


class EnrichmentBlock(Struct, rename="camel"):
    """`NAMESPACE/enrichment` under `_meta`: what package registries say about the entry."""

    packages: tuple[PackageFacts, ...]


class EditorialBlock(Struct, omit_defaults=True):
    """`NAMESPACE/editorial` under `_meta`: what editors of this feed say about the entry."""

    categories: tuple[str, ...] = ()
    featured: bool = False


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
    own is smaller than `firstSequence` and not 0 follows a feed that was made anew."""

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


class RuleResult(Struct, frozen=True):
    """What a rule came to. `unknown` says what it means that it is unknown: match or skip."""

    rule: str
    kind: Literal["block", "overlay", "must", "rule"]
    verdict: Literal["admit", "exclude"]
    reason: str
    when: str
    unknown: Literal["match", "skip"]
    result: str
    decided: bool


class SeenValue(Struct, frozen=True, omit_defaults=True):
    """A value that rules read: whose word it is, and as of when.

    `source` is name, upstream, registries (`places` are their addresses; `as_of` is when the one
    that was asked longest ago was asked) or warehouse, which is computed over all entries.
    """

    value: Any
    source: Literal["name", "upstream", "registries", "warehouse"]
    places: tuple[str, ...] = ()
    as_of: datetime | None = None


class NeededChange(Struct, frozen=True, rename={"now": "is", "wanted": "must_be"}):
    """A test that would have to come out otherwise."""

    test: str
    now: str
    wanted: str


class Trace(Struct, frozen=True, omit_defaults=True):
    """Every rule in order (blocks and overlays only where they apply), the values that they read,
    and the fewest tests that would have to come out otherwise to admit the entry."""

    rules: tuple[RuleResult, ...] = ()
    values: dict[str, SeenValue] = msgspec.field(default_factory=dict)
    nearest: tuple[NeededChange, ...] = ()


class Explanation(Reason, frozen=True, omit_defaults=True, kw_only=True):
    """Why a version is in the feed or not: the rule that decided, and what was done to it.

    `unknown` names rules that could not tell; `packages` are the facts served with it. The rest
    as in Trace.
    """

    version: str
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


def schemas(*types: type, ref: str) -> dict[str, Json]:
    """JSON Schemas of types and all they refer to, by name; `ref` is a template for references."""
    _, found = msgspec.json.schema_components(
        types, ref_template=ref, schema_hook=lambda _: {"not": {}}
    )
    return {name: _ecma(schema) for name, schema in found.items()}


def _ecma(value: Any) -> Any:  # any part of a JSON Schema
    """The same with `$` where Python's patterns say `\\Z`, and descriptions without indents."""
    if isinstance(value, dict):
        return {key: _ecma(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_ecma(item) for item in value]
    return cleandoc(value.replace("\\Z", "$")) if isinstance(value, str) else value


BLOCKS: dict[str, type] = {
    "feed.v1.json": FeedBlock,
    "enrichment.v1.json": EnrichmentBlock,
    "editorial.v1.json": EditorialBlock,
}
"""JSON Schemas of our keys under `_meta`, by file name; a breaking change gets a new number."""


def block_schema(name: str) -> Json:
    """A schema of BLOCKS as a document of its own."""
    kind = BLOCKS[name]
    found = schemas(kind, ref="#/$defs/{name}")
    whole = found.pop(kind.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": found}
