"""The columns that a rule may use: their types, whether they may be NULL, and their source.

The macro `policy_columns` computes them; nothing here touches a database.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["name", "upstream", "registries", "warehouse"]


@dataclass(frozen=True)
class Column:
    """`kind` is a DuckDB type; `nullable`: the value may be unknown (NULL).

    `source` says where the value comes from: the name, upstream, package registries, or ourselves
    (`warehouse`: computed over all entries).
    """

    kind: str
    source: Source
    meaning: str
    nullable: bool = False


def _maybe(kind: str, source: Source, meaning: str) -> Column:
    return Column(kind, source, meaning, nullable=True)


AGES = ("age_days", "updated_days", "package_age_days")
"""The columns whose values change by themselves, once a day."""

PACKAGE_COLUMNS: dict[str, Column] = {
    "registry_type": Column("VARCHAR", "upstream", "npm, pypi, oci ..., as claimed"),
    "identifier": Column("VARCHAR", "upstream", "its name in its registry, as claimed"),
    "claimed_version": Column("VARCHAR", "upstream", "the version, as claimed; empty without one"),
    "license": _maybe("VARCHAR", "registries", "SPDX expression; NOASSERTION if it shows none"),
    "ownership": _maybe("VARCHAR", "registries", "a word for ownerships; NULL if unknown"),
    "availability": _maybe("VARCHAR", "registries", "a word for availabilities; NULL if unknown"),
    "yanked": _maybe("BOOLEAN", "registries", "its publisher took the version back"),
    "install_scripts": _maybe("BOOLEAN", "registries", "it runs a script when it is installed"),
    "provenance": _maybe("BOOLEAN", "registries", "it was built in the open, with a proof"),
    "days_behind": _maybe("BIGINT", "registries", "days from the claimed release to the latest"),
    "signals": _maybe("VARCHAR[]", "registries", "signals of this package"),
    "advisories": _maybe("VARCHAR[]", "registries", "ids of OSV advisories; NULL: not looked for"),
}
"""What a test of one package may read, inside `any_package(...)` and in `[[drop]]`."""

COLUMNS: dict[str, Column] = {
    "name": Column("VARCHAR", "name", "server name"),
    "version": Column("VARCHAR", "name", "version of the server"),
    "upstream": Column("VARCHAR", "upstream", "the upstream that it comes from"),
    "namespace": Column("VARCHAR", "name", "the name up to its slash"),
    "publisher": Column(
        "VARCHAR",
        "name",
        "whom the namespace belongs to: an account of a code host or hosting platform, else "
        "the first two labels",
    ),
    "status": Column(
        "VARCHAR",
        "upstream",
        "active, deprecated, or deleted (also when it vanished upstream)",
    ),
    "is_latest": Column("BOOLEAN", "upstream", "upstream calls it the latest version"),
    "published_at": Column("TIMESTAMPTZ", "upstream", "when it was published, as upstream says"),
    "updated_at": Column("TIMESTAMPTZ", "upstream", "when it last changed, as upstream says"),
    "first_seen": Column("TIMESTAMPTZ", "warehouse", "when we first saw it"),
    "age_days": Column("BIGINT", "upstream", "whole days since `published_at`"),
    "updated_days": Column("BIGINT", "upstream", "whole days since `updated_at`"),
    "title": _maybe("VARCHAR", "upstream", "title, as published"),
    "description": _maybe("VARCHAR", "upstream", "description, as published"),
    "website_url": _maybe("VARCHAR", "upstream", "website, as published"),
    "repository_url": _maybe(
        "VARCHAR",
        "upstream",
        "source repository, as published; NULL if none is named",
    ),
    "repository_source": _maybe(
        "VARCHAR",
        "upstream",
        "hosting service of the repository, as published",
    ),
    "package_count": Column("INTEGER", "upstream", "how many packages it claims"),
    "remote_count": Column("INTEGER", "upstream", "how many remotes it offers"),
    "registry_types": Column("VARCHAR[]", "upstream", "registry types of its packages"),
    "transports": Column("VARCHAR[]", "upstream", "transports of its remotes"),
    "hosts": Column("VARCHAR[]", "upstream", "hosts of its remotes"),
    "absent_package_count": Column(
        "BIGINT",
        "registries",
        "packages known to be absent: three answers over a day",
    ),
    "unknown_package_count": Column(
        "BIGINT",
        "registries",
        "packages of which nothing is known yet, or of a kind that is not asked for",
    ),
    "stale_package_count": Column(
        "BIGINT",
        "registries",
        "packages whose registry answered last with trouble; what is known of them is older",
    ),
    "deprecated_package_count": _maybe(
        "BIGINT",
        "registries",
        "claimed versions that are deprecated; NULL if none is, as far as known, and one is "
        "unknown",
    ),
    "yanked_package_count": _maybe(
        "BIGINT",
        "registries",
        "claimed versions that are yanked; NULL if none is, as far as known, and one is unknown",
    ),
    "install_script_package_count": _maybe(
        "BIGINT",
        "registries",
        "packages that run a script when installed; NULL if none is known to and one is unknown",
    ),
    "provenance_package_count": _maybe(
        "BIGINT",
        "registries",
        "packages that come with provenance; NULL if none is known to and one is unknown",
    ),
    "licenses": _maybe(
        "VARCHAR[]",
        "registries",
        "SPDX licenses of its packages; `NONE` for one without a license, `NOASSERTION` for one "
        "whose license is none of SPDX's (see `license_statuses`)",
    ),
    "license_statuses": Column(
        "VARCHAR[]",
        "registries",
        "how the license of each package is known: spdx, alias (a common name of one), file, "
        "proprietary, unparsed, none, unknown",
    ),
    "package_identifiers": Column(
        "VARCHAR[]", "upstream", "identifiers of its packages, as published"
    ),
    "npm_scopes": Column("VARCHAR[]", "upstream", "scopes of its npm packages, such as @example"),
    "image_hosts": Column("VARCHAR[]", "upstream", "registries of its images, such as ghcr.io"),
    "image_owners": Column(
        "VARCHAR[]", "upstream", "first parts of the names of its images: whose they are"
    ),
    "ownerships": Column(
        "VARCHAR[]",
        "registries",
        "verdict on the owner of each package, `unknown` among them (see Signals)",
    ),
    "availabilities": Column(
        "VARCHAR[]",
        "registries",
        "verdict on the availability of each package, `unknown` among them (see Signals)",
    ),
    "signals": _maybe(
        "VARCHAR[]",
        "registries",
        "all reason codes of its packages: `list_contains(signals, 'yanked')` (see Signals)",
    ),
    "provenance_repositories": _maybe(
        "VARCHAR[]",
        "registries",
        "repositories that the provenance of its packages names",
    ),
    "advisories": _maybe(
        "VARCHAR[]",
        "registries",
        "ids of the OSV advisories that stand against its claimed npm and PyPI versions; NULL "
        "while one was not looked for, and for versions that are not exact (`^1.0.0`, "
        "`latest`, none): `signals` has those",
    ),
    "severities": _maybe(
        "VARCHAR[]",
        "registries",
        "severities of `advisories`: LOW to CRITICAL, UNKNOWN",
    ),
    "is_malicious": _maybe("BOOLEAN", "registries", "one of `advisories` says that it is malware"),
    "repository_matches": _maybe(
        "BOOLEAN",
        "registries",
        "its packages name the entry's own repository; NULL if one of them names none",
    ),
    "versions_behind": _maybe(
        "INTEGER",
        "registries",
        "releases of a package that are newer than the claimed one, the largest of its "
        "packages; NULL while nothing is known of one",
    ),
    "days_behind": _maybe(
        "BIGINT",
        "registries",
        "days from the claimed release to the latest, the largest of its packages; NULL while "
        "nothing is known of one",
    ),
    "package_first_published_at": _maybe(
        "TIMESTAMPTZ",
        "registries",
        "when its oldest package was first published",
    ),
    "package_published_at": _maybe(
        "TIMESTAMPTZ",
        "registries",
        "when the newest claimed release was published",
    ),
    "package_age_days": _maybe("BIGINT", "registries", "whole days since `package_published_at`"),
    "digest_moved_at": _maybe(
        "TIMESTAMPTZ",
        "registries",
        "when a claimed tag was seen to hold other bytes; NULL: never",
    ),
    "owners_changed_at": _maybe(
        "TIMESTAMPTZ",
        "registries",
        "when a package was seen to have other owners; NULL: never",
    ),
    "downloads": _maybe(
        "BIGINT",
        "registries",
        "of its most fetched package: last week's (npm, PyPI) or all (Docker Hub); NULL where "
        "nobody was asked (see operators.md)",
    ),
    "claimant_count": Column(
        "BIGINT",
        "warehouse",
        "servers that claim a package of it, itself included",
    ),
    "cluster_size": Column(
        "BIGINT",
        "warehouse",
        "servers that share a package, remote URL or repository with it (1: none)",
    ),
    "cluster_kind": _maybe(
        "VARCHAR",
        "warehouse",
        "what they share: package, remote or repository",
    ),
    "cluster_key": _maybe("VARCHAR", "warehouse", "the package, URL or repository that they share"),
    "canonical_name": Column("VARCHAR", "warehouse", "the server that stands for its cluster"),
    "is_canonical": Column("BOOLEAN", "warehouse", "it stands for every cluster that it is in"),
    "owns_repository": _maybe(
        "BOOLEAN",
        "warehouse",
        "its account is that of its repository; NULL: it cannot be told",
    ),
    "owns_remotes": _maybe("BOOLEAN", "warehouse", "its domain is that of all its remotes"),
    "publisher_server_count": Column("BIGINT", "warehouse", "servers of its publisher"),
    "publisher_rank": Column(
        "BIGINT",
        "warehouse",
        "its place among the servers of its publisher: the oldest is 1",
    ),
    "host_server_count": Column(
        "BIGINT",
        "warehouse",
        "servers with a remote at a host of it, the largest of its hosts",
    ),
    "host_rank": Column(
        "BIGINT",
        "warehouse",
        "its place among the servers with a remote at a host of it: the oldest is 1",
    ),
    "text_flags": Column(
        "VARCHAR[]",
        "warehouse",
        "odd texts (below): invisible, bidi, instructions, look_alike",
    ),
    "look_alike_of": _maybe("VARCHAR", "warehouse", "the well-known namespace that it looks like"),
}
"""Every column that a rule may use."""

_TOLD = "absent IS NOT NULL"  # its registry said something of this version
# What is not known is NULL, also where a word or an empty list stands for it.
PACKAGE_SQL = {name: name for name in PACKAGE_COLUMNS} | {
    "ownership": "nullif(ownership, 'unknown')",
    "availability": "nullif(availability, 'unknown')",
    "license": f"coalesce(license, CASE WHEN {_TOLD} THEN 'NOASSERTION' END)",
    "yanked": f"coalesce(yanked, CASE WHEN {_TOLD} THEN false END)",
    "install_scripts": f"coalesce(install_scripts, CASE WHEN {_TOLD} THEN false END)",
    "signals": f"CASE WHEN {_TOLD} THEN signals END",
}
"""How `served_packages` gives the columns of a package."""

SAMPLE = {
    "VARCHAR": "''",
    "VARCHAR[]": "[]",
    "BOOLEAN": "true",
    "INTEGER": "0",
    "BIGINT": "0",
    "TIMESTAMPTZ": "'2026-01-01'",
}
"""A value of each type, as SQL, to try a test on."""
