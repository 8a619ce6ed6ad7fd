-- Every package of every known entry: what its registry says now, and the signals that follow from it (see
-- curators.md).
CREATE OR REPLACE VIEW entry_packages AS
SELECT
    * EXCLUDE (verdict, seen, check_outcome),
    verdict AS ownership_now,
    CASE
        WHEN verdict NOT IN ('verified', 'unknown', 'unsupported') AND was_verified
            THEN 'was_verified_now_not'
        ELSE verdict
    END AS ownership,
    1 AS ownership_rules,
    CASE
        WHEN rejected IS NOT NULL THEN 'not_applicable'
        WHEN package_state = 'known' AND package_outcome <> 'ok' THEN package_outcome
        WHEN version_state = 'known' AND version_outcome = 'version_absent' AND seen
            THEN 'version_withdrawn'
        WHEN version_state = 'known' AND version_outcome <> 'ok' THEN version_outcome
        WHEN version_state = 'known' AND yanked THEN 'yanked'
        WHEN version_state = 'known' AND deprecated IS NOT NULL THEN 'deprecated'
        WHEN version_state = 'known' THEN 'available'
        WHEN package_version = '' AND package_state = 'known' THEN 'available'
        ELSE 'unknown'
    END AS availability,
    CASE
        WHEN newer_versions = 0 THEN 0
        WHEN newer_versions > 0 AND latest_published_at > version_published_at
            THEN date_diff('day', version_published_at, latest_published_at)
    END AS days_behind,
    list_filter([
        CASE WHEN was_verified AND verdict NOT IN ('verified', 'unknown', 'unsupported')
            THEN 'was_verified_now_not' END,
        CASE WHEN verdict <> 'unknown' THEN verdict END,
        CASE WHEN verdict = 'verified' AND latest_server_names IS NOT NULL
            AND NOT list_contains(latest_server_names, name) THEN 'latest_not_owned' END,
        CASE WHEN package_state = 'known' AND package_outcome NOT IN ('ok', 'package_absent')
            THEN package_outcome END,
        CASE WHEN version_state = 'known' AND version_outcome = 'version_absent' AND seen
            THEN 'version_withdrawn' END,
        CASE WHEN yanked THEN 'yanked' END,
        CASE WHEN deprecated IS NOT NULL THEN 'deprecated' END,
        CASE WHEN package_status IN ('deprecated', 'archived') THEN 'package_' || package_status END,
        CASE WHEN version_kind IN ('alias', 'range', 'missing', 'invalid')
            THEN 'version_' || version_kind END,
        CASE WHEN install_scripts THEN 'install_scripts' END,
        CASE WHEN provenance THEN 'provenance' END,
        CASE WHEN repository_matches THEN 'repository_matches' END,
        CASE WHEN NOT repository_matches THEN 'repository_differs' END,
        CASE WHEN NOT provenance_matches THEN 'provenance_differs' END,
        CASE WHEN digest_moved_at IS NOT NULL THEN 'digest_moved' END,
        CASE WHEN owners_changed_at IS NOT NULL THEN 'owners_changed' END,
        CASE WHEN recreated_at IS NOT NULL THEN 'name_reused' END,
        CASE WHEN newer_versions > 0 THEN 'behind' END,
        CASE WHEN claimants > 1 THEN 'multi_claim' END,
        CASE WHEN check_outcome = 'forbidden' THEN 'forbidden' END
    ], lambda s: s IS NOT NULL) AS signals
FROM (
    SELECT
        e.upstream, e.name, e.version, p.ordinal, p.registry_type, p.registry_base_url, p.identifier,
        p.version AS claimed_version, r.purl, r.origin, r.package, r.package_version,
        r.version_kind, r.rejected,
        f.state AS package_state, f.outcome AS package_outcome, f.latest_version, f.version_count,
        f.first_published_at, f.last_published_at, f.latest_published_at,
        CASE WHEN v.complete THEN v.license ELSE coalesce(v.license, f.license) END AS license,
        -- The status is that of the latest version.
        CASE WHEN v.complete AND r.package_version IS DISTINCT FROM f.latest_version
            THEN CASE WHEN v.license IS NOT NULL THEN 'spdx' ELSE 'unknown' END
            ELSE f.license_status END AS license_status,
        f.repository_url AS package_repository_url, f.status AS package_status,
        f.owner_count, f.source, f.observed_at,
        v.state AS version_state, v.outcome AS version_outcome,
        v.published_at AS version_published_at, v.yanked, v.yanked_reason, v.deprecated,
        v.install_scripts, v.provenance, v.provenance_repository, v.digest, v.server_names,
        v.newer_versions, v.resolved_version, v.evidence_sha256,
        v.observed_at AS version_observed_at,
        l.server_names AS latest_server_names,
        c.checked_at, c.outcome AS check_outcome, c.stale_since, g.owners_changed_at, g.recreated_at, h.digest_moved_at,
        n.claimants, h.version IS NOT NULL AS seen,
        coalesce(list_contains(h.ever_names, e.name), false) AS was_verified,
        repository_of(t.repository_url) = repository_of(f.repository_url) AS repository_matches,
        repository_of(t.repository_url) = repository_of(v.provenance_repository)
            AS provenance_matches,
        CASE
            WHEN r.rejected IS NOT NULL OR r.version_kind IN ('missing', 'range') THEN 'unsupported'
            WHEN f.state = 'known' AND f.outcome <> 'ok' THEN 'package_absent'
            WHEN v.state = 'known' AND v.outcome = 'old_format' THEN 'unsupported'
            WHEN v.state = 'known' AND v.outcome <> 'ok' THEN 'version_absent'
            WHEN v.server_names IS NULL THEN 'unknown'
            WHEN list_contains(v.server_names, e.name) THEN 'verified'
            WHEN r.origin IN (SELECT kind FROM ecosystems WHERE has_marker_in_text)
                AND len(list_filter(v.server_names, lambda s: starts_with(s, e.name))) > 0
                THEN 'marker_glued'
            WHEN len(v.server_names) = 0 THEN 'marker_absent'
            ELSE 'mismatch'
        END AS verdict,
        CASE
            WHEN r.rejected IS NOT NULL OR r.origin IS NULL THEN NULL
            WHEN f.state = 'known' AND f.outcome IN ('package_absent', 'unpublished', 'gone')
                THEN true
            WHEN v.state = 'known' AND v.outcome = 'version_absent' THEN true
            WHEN v.state = 'known' AND v.outcome IN ('ok', 'old_format') THEN false
            WHEN r.package_version = '' AND f.state = 'known' AND f.outcome = 'ok' THEN false
        END AS absent
    FROM entries e
    JOIN packages p USING (server_hash)
    LEFT JOIN contents t USING (server_hash)
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN current_package_facts f ON f.origin = r.origin AND f.package = r.package
    LEFT JOIN current_version_facts v
        ON v.origin = r.origin AND v.package = r.package AND v.version = r.package_version
    LEFT JOIN current_version_facts l
        ON l.origin = r.origin AND l.package = r.package AND l.version = f.latest_version
    LEFT JOIN package_checks c ON c.origin = r.origin AND c.package = r.package
    LEFT JOIN package_history g ON g.origin = r.origin AND g.package = r.package
    LEFT JOIN version_history h
        ON h.origin = r.origin AND h.package = r.package AND h.version = r.package_version
    LEFT JOIN package_claims n ON n.origin = r.origin AND n.package = r.package
)
