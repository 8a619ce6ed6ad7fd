-- Names whose latest flag does not follow from plain publishes, and names met again that an earlier walk could not
-- settle.
WITH touched AS (
    SELECT
        name,
        bool_and(status = 'active' AND updated_at = published_at) AS plain,
        count(*) FILTER (WHERE is_latest) AS incoming
    FROM changed
    GROUP BY name
),
kept AS (
    SELECT e.name, count(*) FILTER (WHERE e.is_latest) AS latest
    FROM entries e
    SEMI JOIN reading USING (name)
    ANTI JOIN changed USING (name, version)
    WHERE e.upstream = $upstream AND e.vanished_at IS NULL
    GROUP BY e.name
)
SELECT DISTINCT r.name
FROM reading r
LEFT JOIN touched t USING (name)
LEFT JOIN kept k USING (name)
WHERE NOT coalesce(t.plain, true)
    OR t.incoming > 1
    OR (coalesce(t.incoming, 0) = 0 AND coalesce(k.latest, 0) <> 1)
ORDER BY r.name
