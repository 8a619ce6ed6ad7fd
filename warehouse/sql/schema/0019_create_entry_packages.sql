-- Every package of every known entry with what its registry says now.
CREATE VIEW entry_packages AS
SELECT
    e.upstream, e.name, e.version, p.ordinal, p.registry_type, p.identifier,
    p.version AS claimed_version, r.purl, r.origin, r.package, r.package_version, r.rejected,
    f.state AS package_state, f.outcome AS package_outcome, f.latest_version, f.version_count,
    f.first_published_at, f.last_published_at, f.license, f.license_status,
    f.repository_url AS package_repository_url, f.status AS package_status,
    f.source, f.observed_at,
    v.state AS version_state, v.outcome AS version_outcome, v.published_at AS version_published_at,
    v.yanked, v.deprecated, v.install_scripts, v.provenance, v.digest, v.server_names,
    c.checked_at, c.stale_since,
    CASE
        WHEN r.rejected IS NOT NULL OR r.origin IS NULL THEN NULL
        WHEN f.state = 'known' AND f.outcome IN ('package_absent', 'unpublished', 'gone') THEN true
        WHEN v.state = 'known' AND v.outcome = 'version_absent' THEN true
        WHEN v.state = 'known' AND v.outcome = 'ok' THEN false
        WHEN r.package_version = '' AND f.state = 'known' AND f.outcome = 'ok' THEN false
    END AS absent
FROM entries e
JOIN packages p USING (server_hash)
LEFT JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
LEFT JOIN current_package_facts f ON f.origin = r.origin AND f.package = r.package
LEFT JOIN current_version_facts v
    ON v.origin = r.origin AND v.package = r.package AND v.version = r.package_version
LEFT JOIN package_checks c ON c.origin = r.origin AND c.package = r.package
