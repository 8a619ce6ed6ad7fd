-- What changed about a package in the answers of one source: when its owners changed, and when it was created again
-- after everything that was published before.
CREATE OR REPLACE VIEW package_history AS
SELECT
    origin, package,
    max(observed_at) FILTER (owners_hash <> owners_before) AS owners_changed_at,
    max(observed_at) FILTER (first_published_at > published_before) AS recreated_at
FROM (
    SELECT
        origin, package, observed_at, owners_hash, first_published_at,
        lag(owners_hash IGNORE NULLS) OVER told AS owners_before,
        lag(last_published_at IGNORE NULLS) OVER told AS published_before
    FROM package_facts
    WHERE state = 'known' AND outcome = 'ok'
    WINDOW told AS (PARTITION BY origin, package, source ORDER BY observed_at)
)
GROUP BY origin, package
