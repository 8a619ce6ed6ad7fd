"""The columns that a rule may use: their types, whether they may be unknown, whose word they are.

The macro `policy_columns` computes them; nothing here touches a database.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["name", "upstream", "registries", "warehouse"]


@dataclass(frozen=True)
class Column:
    """`kind` is a DuckDB type. `source` says who told: upstream, package registries, or ourselves
    (`warehouse`: computed over all entries); `nullable` that its value may be unknown (NULL)."""

    kind: str
    source: Source
    meaning: str
    nullable: bool = False


def _maybe(kind: str, source: Source, meaning: str) -> Column:
    return Column(kind, source, meaning, nullable=True)


COLUMNS: dict[str, Column] = {
    "name": Column("VARCHAR", "name", "server name"),
    "version": Column("VARCHAR", "name", "version of the server"),
    "namespace": Column("VARCHAR", "name", "the name up to its slash"),
    "publisher": Column("VARCHAR", "name", "who the namespace belongs to: its account or domain"),
    "status": Column("VARCHAR", "upstream", "active, deprecated or deleted (also when vanished)"),
    "is_latest": Column("BOOLEAN", "upstream", "upstream calls it the latest version"),
    "published_at": Column("TIMESTAMPTZ", "upstream", "upstream's publication instant"),
    "updated_at": Column("TIMESTAMPTZ", "upstream", "upstream's instant of the last change"),
    "first_seen": Column("TIMESTAMPTZ", "warehouse", "when we first saw it"),
    "age_days": Column("BIGINT", "upstream", "whole days since its publication"),
    "updated_days": Column("BIGINT", "upstream", "whole days since upstream's last change"),
    "title": _maybe("VARCHAR", "upstream", "display name"),
    "description": _maybe("VARCHAR", "upstream", "description"),
    "website_url": _maybe("VARCHAR", "upstream", "website"),
    "repository_url": _maybe("VARCHAR", "upstream", "source repository; NULL if none is named"),
    "repository_source": _maybe("VARCHAR", "upstream", "hosting service of the repository"),
    "package_count": Column("INTEGER", "upstream", "packages it claims"),
    "remote_count": Column("INTEGER", "upstream", "remotes it offers"),
    "registry_types": Column("VARCHAR[]", "upstream", "registry types of its packages"),
    "transports": Column("VARCHAR[]", "upstream", "transports of its remotes"),
    "hosts": Column("VARCHAR[]", "upstream", "hosts of its remotes"),
    "absent_package_count": Column("BIGINT", "registries", "packages known to be absent"),
    "unknown_package_count": Column("BIGINT", "registries", "packages that nothing is known of"),
    "stale_package_count": Column("BIGINT", "registries", "packages whose registry had trouble"),
    "deprecated_package_count": _maybe("BIGINT", "registries", "claimed versions deprecated"),
    "yanked_package_count": _maybe("BIGINT", "registries", "claimed versions yanked"),
    "install_script_package_count": _maybe("BIGINT", "registries", "packages with install scripts"),
    "provenance_package_count": _maybe("BIGINT", "registries", "packages with provenance"),
    "licenses": _maybe("VARCHAR[]", "registries", "SPDX licences of its packages"),
    "ownerships": Column("VARCHAR[]", "registries", "verdicts on its packages' ownership"),
    "availabilities": Column("VARCHAR[]", "registries", "available, yanked, unpublished and so on"),
    "signals": _maybe("VARCHAR[]", "registries", "all reason codes of its packages"),
    "provenance_repositories": _maybe("VARCHAR[]", "registries", "repositories by provenance"),
    "advisories": _maybe("VARCHAR[]", "registries", "advisories that name its packages"),
    "severities": _maybe("VARCHAR[]", "registries", "their severities"),
    "is_malicious": _maybe("BOOLEAN", "registries", "an advisory calls a package of it malware"),
    "repository_matches": _maybe("BOOLEAN", "registries", "its packages name its repository"),
    "versions_behind": _maybe("INTEGER", "registries", "releases newer than the claimed one"),
    "days_behind": _maybe("BIGINT", "registries", "days from the claimed release to the latest"),
    "package_first_published_at": _maybe("TIMESTAMPTZ", "registries", "of its oldest package"),
    "package_published_at": _maybe("TIMESTAMPTZ", "registries", "of the newest claimed release"),
    "package_age_days": _maybe("BIGINT", "registries", "whole days since package_published_at"),
    "digest_moved_at": _maybe("TIMESTAMPTZ", "registries", "a claimed tag held other bytes"),
    "owners_changed_at": _maybe("TIMESTAMPTZ", "registries", "a package had other owners"),
    "downloads": _maybe("BIGINT", "registries", "of its most fetched package"),
    "claimant_count": Column("BIGINT", "warehouse", "servers that claim a package of it"),
    "cluster_size": Column("BIGINT", "warehouse", "servers with its package, remote or repository"),
    "cluster_kind": _maybe("VARCHAR", "warehouse", "what they share: package, remote, repository"),
    "cluster_key": _maybe("VARCHAR", "warehouse", "the package, URL or repository that they share"),
    "canonical_name": Column("VARCHAR", "warehouse", "the server that stands for its cluster"),
    "is_canonical": Column("BOOLEAN", "warehouse", "it stands for every cluster that it is in"),
    "owns_repository": _maybe("BOOLEAN", "warehouse", "its account is that of its repository"),
    "owns_remotes": _maybe("BOOLEAN", "warehouse", "its domain is that of all its remotes"),
    "publisher_server_count": Column("BIGINT", "warehouse", "servers of its publisher"),
    "publisher_rank": Column("BIGINT", "warehouse", "its place among them, the oldest is 1"),
    "host_server_count": Column("BIGINT", "warehouse", "servers with a remote at a host of it"),
    "host_rank": Column("BIGINT", "warehouse", "its place among them, the oldest is 1"),
    "text_flags": Column("VARCHAR[]", "warehouse", "invisible, bidi, instructions, look_alike"),
    "look_alike_of": _maybe("VARCHAR", "warehouse", "the well-known name that it looks like"),
}
"""Every column a rule may use."""
