SELECT url, watermark, generation, full_walk_at, full_walk_entries, commits, committed_at
FROM state
WHERE upstream = $upstream
