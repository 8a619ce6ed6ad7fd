-- Insert only what differs from the newest fact; an unconfirmed absence never replaces knowledge. While the digest of
-- a release is the same, its other facts are too, so an answer without license, names or provenance keeps the earlier
-- value.
INSERT INTO version_facts BY NAME
SELECT n.*
FROM (
    SELECT
        b.* EXCLUDE (same) REPLACE (
            CASE WHEN same THEN coalesce(b.license, c.license) ELSE b.license END AS license,
            CASE WHEN same THEN coalesce(b.digest, c.digest) ELSE b.digest END AS digest,
            CASE WHEN same THEN coalesce(b.published_at, c.published_at) ELSE b.published_at END
                AS published_at,
            CASE WHEN same THEN coalesce(b.server_names, c.server_names) ELSE b.server_names END
                AS server_names,
            CASE WHEN same THEN coalesce(b.evidence_sha256, c.evidence_sha256)
                ELSE b.evidence_sha256 END AS evidence_sha256,
            CASE WHEN same THEN coalesce(b.provenance_repository, c.provenance_repository)
                ELSE b.provenance_repository END AS provenance_repository,
            CASE WHEN same AND b.provenance IS NOT DISTINCT FROM c.provenance
                THEN b.complete OR coalesce(c.complete, false) ELSE b.complete END AS complete
        )
    FROM (
        SELECT
            b.*,
            b.outcome = c.outcome AND b.resolved_version IS NOT DISTINCT FROM c.resolved_version
                AND coalesce(b.digest = c.digest, true) AS same
        FROM batch_version_facts b
        LEFT JOIN current_version_facts c USING (origin, package, version)
    ) b
    LEFT JOIN current_version_facts c USING (origin, package, version)
) n
LEFT JOIN current_version_facts c USING (origin, package, version)
WHERE c.version IS NULL
    OR ((n.state <> 'unknown' OR c.state <> 'known') AND row(
        n.source, n.state, n.outcome, n.published_at, n.yanked, n.deprecated, n.license,
        n.install_scripts, n.provenance, n.digest, n.server_names, n.yanked_reason,
        n.provenance_repository, n.newer_versions, n.resolved_version, n.complete
    ) IS DISTINCT FROM row(
        c.source, c.state, c.outcome, c.published_at, c.yanked, c.deprecated, c.license,
        c.install_scripts, c.provenance, c.digest, c.server_names, c.yanked_reason,
        c.provenance_repository, c.newer_versions, c.resolved_version, c.complete
    ))
RETURNING origin, package
