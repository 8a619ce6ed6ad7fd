INSERT INTO state
SELECT
    $upstream, $url, $watermark::TIMESTAMPTZ, $generation, $commits, $committed_at::TIMESTAMPTZ,
    $full_walk_at::TIMESTAMPTZ, $full_walk_entries::BIGINT
