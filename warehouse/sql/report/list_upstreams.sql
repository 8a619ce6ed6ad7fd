-- The state of each upstream; `contested` counts its names that belong to another upstream.
SELECT
    s.upstream, s.url, s.watermark, s.committed_at, s.full_walk_at, s.full_walk_entries,
    w.kind AS last_kind, w.pages AS last_pages, w.new AS last_new, w.changed AS last_changed,
    coalesce(q.quarantined, 0) AS quarantined, coalesce(c.contested, 0) AS contested
FROM state s
LEFT JOIN (
    SELECT * FROM walks
    QUALIFY row_number() OVER (PARTITION BY upstream ORDER BY committed_at DESC) = 1
) w ON w.upstream = s.upstream
LEFT JOIN (
    SELECT upstream, count(*) AS quarantined
    FROM quarantine
    WHERE released_at IS NULL
    GROUP BY upstream
) q ON q.upstream = s.upstream
LEFT JOIN (
    SELECT e.upstream, count(DISTINCT e.name) AS contested
    FROM entries e
    JOIN current_bindings b ON b.name = e.name AND b.upstream <> e.upstream
    WHERE e.vanished_at IS NULL
    GROUP BY e.upstream
) c ON c.upstream = s.upstream
ORDER BY s.upstream
