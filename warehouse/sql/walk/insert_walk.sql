INSERT INTO walks
SELECT
    $walk_id, $upstream, $kind, $since::TIMESTAMPTZ, $asked_at::TIMESTAMPTZ,
    $committed_at::TIMESTAMPTZ, $pages, $entries, $new, $changed, $missing, $vanished, $unreadable,
    $watermark::TIMESTAMPTZ, false
