"""The packages of an entry as they are served: warehouse rows in, JSON out."""

from datetime import datetime
from typing import Any

import msgspec

from serve.entry.meta import EnrichmentBlock, PackageFacts
from warehouse.database.session import Row


def enrichment(packages: list[Row] | None) -> bytes | None:
    """Our facts about an entry's packages as served JSON; None if it has no package."""
    if not packages:
        return None
    return msgspec.json.encode(EnrichmentBlock(tuple(_package(package) for package in packages)))


def _package(row: Row) -> PackageFacts:
    """One package: what it claims, what its registry says, since when, and the source.

    A failed fetch is not served: it would be a change for every reader.
    """
    state: Any = row["package_state"] or ("not_applicable" if row["rejected"] else "unknown")
    if state == "failed":
        state = "unknown"
        row = row | dict.fromkeys(("package_outcome", "origin", "observed_at"))
    return PackageFacts(
        registry_type=row["registry_type"],
        identifier=row["identifier"],
        version=row["claimed_version"] or None,
        purl=row["purl"],
        state=state,
        reason=row["rejected"],
        outcome=row["package_outcome"],
        version_state=row["version_state"],
        version_outcome=row["version_outcome"],
        absent=row["absent"],
        latest_version=row["latest_version"],
        published_at=row["version_published_at"],
        deprecated=row["deprecated"],
        yanked=row["yanked"],
        license=row["license"],
        install_scripts=row["install_scripts"],
        provenance=row["provenance"],
        digest=row["digest"],
        server_names=row["server_names"],
        repository_url=row["package_repository_url"],
        ownership=row["ownership"],
        ownership_now=row["ownership_now"] if row["ownership_now"] != row["ownership"] else None,
        availability=row["availability"],
        behind=row["newer_versions"],
        days_behind=row["days_behind"],
        resolved_version=row["resolved_version"],
        yanked_reason=row["yanked_reason"],
        provenance_repository=row["provenance_repository"],
        repository_matches=row["repository_matches"],
        first_published_at=row["first_published_at"],
        last_published_at=row["last_published_at"],
        digest_moved_at=row["digest_moved_at"],
        owners_changed_at=row["owners_changed_at"],
        name_reused_at=row["recreated_at"],
        claimants=row["claimants"],
        evidence_sha256=row["evidence_sha256"],
        advisories=tuple(row["advisories"]) if row["advisories"] is not None else None,
        severities=tuple(row["severities"] or ()),
        malicious=bool(row["malicious"]),
        signals=tuple(row["signals"]),
        source=row["origin"],
        observed_at=_latest(row["observed_at"], row["version_observed_at"]),
    )


def _latest(*instants: datetime | None) -> datetime | None:
    return max((at for at in instants if at is not None), default=None)
