-- Only what differs from the newest fact; a failure never replaces knowledge.
INSERT INTO package_facts
SELECT b.*
FROM batch_package_facts b
LEFT JOIN current_package_facts c USING (origin, package)
WHERE c.package IS NULL
    OR (
        (b.state <> 'failed' OR c.state = 'failed')
        AND row(
            b.source, b.state, b.outcome, b.latest_version, b.version_count, b.first_published_at,
            b.last_published_at, b.license, b.license_status, b.repository_url, b.status
        ) IS DISTINCT FROM row(
            c.source, c.state, c.outcome, c.latest_version, c.version_count, c.first_published_at,
            c.last_published_at, c.license, c.license_status, c.repository_url, c.status
        )
    )
