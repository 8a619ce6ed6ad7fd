"""Inputs: every column that curation reads, and how a change of it is noticed.

A curation looks only at what may have changed. So each column that a derived table or a rule reads
stands here, beside what notices its changes; a test compares the list with what DuckDB reads.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Input:
    """Columns of a table, and what notices which servers a change of them concerns."""

    table: str
    columns: tuple[str, ...]
    noticed: str


INPUTS = (
    Input(
        "entries",
        (
            *("upstream", "name", "version", "server_hash", "meta_hash", "raw_hash", "status"),
            *("status_message", "is_latest", "published_at", "updated_at", "status_changed_at"),
            *("first_seen", "vanished_at"),
        ),
        "`commit`: every walk that changes a row gives it the number of its commit "
        "(select_changed_servers)",
    ),
    Input(
        "bindings",
        ("name", "upstream", "bound_at"),
        "`bound_at`, which rises over all upstreams (select_changed_servers)",
    ),
    Input(
        "contents",
        (
            *("server_hash", "title", "description", "website_url", "repository_url"),
            *("repository_source", "repository_subfolder", "package_count", "remote_count"),
        ),
        "nothing: rows are keyed by their content, so only `entries.server_hash` changes",
    ),
    Input(
        "packages",
        ("server_hash", "ordinal", "registry_type", "registry_base_url", "identifier", "version"),
        "nothing, as contents",
    ),
    Input("remotes", ("server_hash", "type", "url"), "nothing, as contents"),
    Input(
        "package_refs",
        (
            *("registry_type", "registry_base_url", "identifier", "version", "origin", "package"),
            *("package_version", "purl", "rejected", "version_kind"),
        ),
        "touch_references, for every server that claims the reference; another number of claimants "
        "of its old and new package by select_differing of package_claimants",
    ),
    Input(
        "package_facts",
        (
            *("origin", "package", "observed_at", "source", "state", "outcome", "latest_version"),
            *("first_published_at", "last_published_at", "latest_published_at", "license"),
            *("license_status", "repository_url", "status", "owners_hash"),
        ),
        "touch_packages, with each new fact",
    ),
    Input(
        "version_facts",
        (
            *("origin", "package", "version", "observed_at", "source", "state", "outcome"),
            *("published_at", "yanked", "yanked_reason", "deprecated", "license", "complete"),
            *("install_scripts", "provenance", "provenance_repository", "digest", "server_names"),
            *("newer_versions", "resolved_version", "evidence_sha256"),
        ),
        "touch_packages, with each new fact",
    ),
    Input(
        "package_checks",
        ("origin", "package", "outcome", "stale_since", "checked_at"),
        "touch_checks, when outcome or staleness differ; `checked_at` only says when was asked "
        "last, so by itself it changes nothing",
    ),
    Input(
        "popularity",
        ("origin", "package", "source", "downloads", "observed_at"),
        "list_other_downloads, when a count differs",
    ),
    Input(
        "purl_advisories",
        ("purl", "ids", "source", "observed_at"),
        "touch_purls, with each other list",
    ),
    Input(
        "advisories",
        ("id", "modified", "severity", "malicious", "withdrawn", "observed_at"),
        "list_named_purls: all package versions that the advisory names",
    ),
    Input("advisory_checks", ("purl", "checked_at"), "nothing: it only says when was asked last"),
)
