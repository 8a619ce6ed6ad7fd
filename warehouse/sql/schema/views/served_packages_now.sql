-- The package data that is served with each entry, as of now, and its hash.
CREATE OR REPLACE VIEW served_packages_now AS
-- The hash covers every column, so any new fact changes it.
SELECT *, hash(s::VARCHAR) AS fingerprint
FROM (
    SELECT
        upstream, name, version, ordinal, registry_type, identifier, claimed_version, purl, rejected,
        package_state, package_outcome, version_state, version_outcome, absent, latest_version,
        version_published_at, deprecated, yanked, yanked_reason, license, install_scripts, provenance,
        provenance_repository, digest, server_names, package_repository_url, origin, observed_at,
        ownership, ownership_now, availability, newer_versions, days_behind, resolved_version,
        first_published_at, last_published_at, digest_moved_at, owners_changed_at, recreated_at,
        claimants, repository_matches, evidence_sha256, signals, version_observed_at, a.ids AS advisories,
        a.severities, a.malicious
    FROM entry_packages
    LEFT JOIN (SELECT purl, ids, severities, malicious FROM current_purl_advisories) a USING (purl)
) s
