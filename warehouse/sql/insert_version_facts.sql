-- Only what differs from the newest fact; an absence that is not confirmed never replaces knowledge.
-- Licence and names of a release never change, so an answer
-- without them keeps what an earlier one told.
INSERT INTO version_facts
SELECT n.*
FROM (
    SELECT
        b.* REPLACE (
            CASE WHEN b.outcome = c.outcome THEN coalesce(b.license, c.license) ELSE b.license END
                AS license,
            CASE
                WHEN b.outcome = c.outcome THEN coalesce(b.server_names, c.server_names)
                ELSE b.server_names
            END AS server_names
        )
    FROM batch_version_facts b
    LEFT JOIN current_version_facts c USING (origin, package, version)
) n
LEFT JOIN current_version_facts c USING (origin, package, version)
WHERE c.version IS NULL
    OR ((n.state <> 'unknown' OR c.state <> 'known') AND row(
        n.source, n.state, n.outcome, n.published_at, n.yanked, n.deprecated, n.license,
        n.install_scripts, n.provenance, n.digest, n.server_names
    ) IS DISTINCT FROM row(
        c.source, c.state, c.outcome, c.published_at, c.yanked, c.deprecated, c.license,
        c.install_scripts, c.provenance, c.digest, c.server_names
    ))
