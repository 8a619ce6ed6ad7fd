-- Every known entry with its verdict, in the order of the feed; hashes of what is served.
SELECT
    e.name, e.version, d.verdict, d.rule, d.reason,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    CASE
        WHEN e.vanished_at IS NOT NULL THEN 'vanished from the upstream registry'
        ELSE e.status_message
    END AS status_message,
    e.is_latest, e.published_at, e.updated_at, e.status_changed_at, c.schema_uri, c.description,
    CASE WHEN d.verdict = 'admit' THEN e.server_hash END AS server_hash,
    CASE WHEN d.verdict = 'admit' THEN e.meta_hash END AS meta_hash,
    CASE WHEN d.verdict = 'admit' THEN e.raw_hash END AS raw_hash,
    d.unknown, s.name IS NOT NULL AS served, p.packages
FROM entries e
JOIN verdicts d
    ON d.feed = $feed AND d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
LEFT JOIN contents c USING (server_hash)
LEFT JOIN served s ON s.feed = $feed AND s.name = e.name AND s.version = e.version
LEFT JOIN (
    SELECT
        upstream, name, version,
        list(
            struct_pack(
                registry_type, identifier, claimed_version, purl, rejected, package_state,
                package_outcome, version_state, version_outcome, absent, latest_version,
                version_published_at, deprecated, yanked, yanked_reason, license, install_scripts,
                provenance, provenance_repository, digest, server_names, package_repository_url,
                origin, observed_at, ownership, ownership_now, availability, newer_versions,
                days_behind, resolved_version, first_published_at, last_published_at,
                digest_moved_at, owners_changed_at, recreated_at, claimants, repository_matches,
                evidence_sha256, signals, version_observed_at
            ) ORDER BY ordinal
        ) AS packages
    FROM entry_packages
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
ORDER BY e.name, e.version
