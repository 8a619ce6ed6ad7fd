SELECT
    s.upstream, s.url, s.watermark, s.committed_at, s.full_walk_at, s.full_walk_entries,
    w.kind AS last_kind, w.pages AS last_pages, w.new AS last_new, w.changed AS last_changed
FROM state s
LEFT JOIN (
    SELECT * FROM walks
    QUALIFY row_number() OVER (PARTITION BY upstream ORDER BY committed_at DESC) = 1
) w ON w.upstream = s.upstream
ORDER BY s.upstream
