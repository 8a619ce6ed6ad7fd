-- Names whose latest flag does not follow from plain publishes (registry API notes, 6.2 step 4).
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
    SEMI JOIN touched USING (name)
    ANTI JOIN changed USING (name, version)
    WHERE e.upstream = $upstream AND e.vanished_at IS NULL
    GROUP BY e.name
)
SELECT t.name
FROM touched t
LEFT JOIN kept k USING (name)
WHERE NOT t.plain
    OR t.incoming > 1
    OR (t.incoming = 0 AND coalesce(k.latest, 0) <> 1)
ORDER BY t.name
