-- The present state of every row that this commit changed.
INSERT INTO history
SELECT
    upstream, name, version, server_hash, meta_hash, raw_hash, status, status_message, is_latest,
    published_at, updated_at, status_changed_at, vanished_at, $now, $walk_id
FROM entries
WHERE upstream = $upstream AND commit = $commit
