UPDATE entries SET
    server_hash = c.server_hash,
    meta_hash = c.meta_hash,
    raw_hash = c.raw_hash,
    status = c.status,
    status_message = c.status_message,
    is_latest = c.is_latest,
    published_at = c.published_at,
    updated_at = c.updated_at,
    status_changed_at = c.status_changed_at,
    commit = $commit,
    missing_since = NULL,
    vanished_at = NULL
FROM changed c
WHERE entries.upstream = $upstream AND entries.name = c.name AND entries.version = c.version
    AND NOT c.is_new
