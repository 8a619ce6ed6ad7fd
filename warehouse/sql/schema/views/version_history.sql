-- What a version ever was: the names that it carried, and when its content changed. Digests of Python releases (their
-- files come and go) and of aliases (they are meant to move) do not count.
CREATE OR REPLACE VIEW version_history AS
SELECT
    origin, package, version,
    list_distinct(flatten(list(coalesce(server_names, [])))) AS ever_names,
    max(observed_at) FILTER (digest <> digest_before) AS digest_moved_at
FROM (
    SELECT
        origin, package, version, observed_at, server_names, digest,
        lag(digest IGNORE NULLS) OVER told AS digest_before
    FROM (
        SELECT * REPLACE (
            CASE
                WHEN origin NOT IN (SELECT kind FROM ecosystems WHERE NOT has_fixed_digest) AND complete IS NOT NULL AND resolved_version IS NULL
                    THEN digest
            END AS digest
        )
        FROM version_facts
        WHERE state = 'known' AND outcome = 'ok'
    )
    WINDOW told AS (PARTITION BY origin, package, version, source ORDER BY observed_at)
)
GROUP BY origin, package, version
