UPDATE state SET
    committed_at = $now,
    commits = $commit,
    watermark = coalesce($watermark::TIMESTAMPTZ, watermark)
WHERE upstream = $upstream
