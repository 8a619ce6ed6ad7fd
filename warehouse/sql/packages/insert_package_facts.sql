-- Insert only what differs from the newest fact. A failure never replaces knowledge, and neither does an unconfirmed
-- absence. An answer that is silent about the license (not the same as no license) or about owners keeps the earlier
-- value.
INSERT INTO package_facts BY NAME
SELECT b.*
FROM (
    SELECT
        b.* EXCLUDE (silent) REPLACE (
            CASE WHEN silent THEN c.license ELSE b.license END AS license,
            CASE WHEN silent THEN c.license_status ELSE b.license_status END AS license_status,
            CASE WHEN silent THEN coalesce(b.repository_url, c.repository_url)
                ELSE b.repository_url END AS repository_url,
            CASE
                WHEN b.outcome = c.outcome THEN coalesce(b.first_published_at, c.first_published_at)
                ELSE b.first_published_at
            END AS first_published_at,
            CASE
                WHEN b.outcome = c.outcome AND b.source = c.source
                    THEN coalesce(b.owner_count, c.owner_count)
                ELSE b.owner_count
            END AS owner_count,
            CASE
                WHEN b.outcome = c.outcome AND b.source = c.source
                    THEN coalesce(b.owners_hash, c.owners_hash)
                ELSE b.owners_hash
            END AS owners_hash
        )
    FROM (
        -- A missing license_status means that the answer did not look at the license.
        SELECT b.*, b.outcome = c.outcome AND b.license_status IS NULL AS silent
        FROM batch_package_facts b
        LEFT JOIN current_package_facts c USING (origin, package)
    ) b
    LEFT JOIN current_package_facts c USING (origin, package)
) b
LEFT JOIN current_package_facts c USING (origin, package)
WHERE c.package IS NULL
    OR (
        (b.state <> 'failed' OR c.state = 'failed')
        AND (b.state <> 'unknown' OR c.state <> 'known')
        AND row(
            b.source, b.state, b.outcome, b.latest_version, b.version_count, b.first_published_at,
            b.last_published_at, b.license, b.license_status, b.repository_url, b.status,
            b.latest_published_at, b.owner_count, b.owners_hash
        ) IS DISTINCT FROM row(
            c.source, c.state, c.outcome, c.latest_version, c.version_count, c.first_published_at,
            c.last_published_at, c.license, c.license_status, c.repository_url, c.status,
            c.latest_published_at, c.owner_count, c.owners_hash
        )
    )
RETURNING origin, package
