"""Types of the blocks that a feed adds to an entry under `_meta`.

Tests check the served bytes against these types.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

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
    """`NAMESPACE/feed` under `_meta`: the state of an entry in this feed, and since when.

    `edition`, `sequence` and `publishedAt` are those of its last change.
    """

    state: State
    edition: str
    sequence: Sequence
    published_at: datetime


class PackageFacts(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Facts about one claimed package. Absent members are not known.

    `signals` are reason codes (docs/curators.md). `ownership`: whether the publisher's claim to
    this server name holds, checked again by the official rules; `ownershipNow`: the last such
    check, if an earlier one had another result. `advisories` are OSV ids; absent: not looked for.
    `behind` counts releases, `daysBehind` days.
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
