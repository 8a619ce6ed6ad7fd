INSERT INTO entries
SELECT
    $upstream, name, version, server_hash, meta_hash, raw_hash, status, status_message, is_latest,
    published_at, updated_at, status_changed_at, $commit, $now, NULL, NULL, 0
FROM changed
WHERE is_new
