SELECT
    s.upstream, s.url, s.watermark, s.committed_at, s.full_walk_at, s.full_walk_entries,
    w.kind AS last_kind, w.pages AS last_pages, w.new AS last_new, w.changed AS last_changed
FROM state s
LEFT JOIN walks w ON w.upstream = s.upstream AND w.committed_at = s.committed_at
ORDER BY s.upstream
