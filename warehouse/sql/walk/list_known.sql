SELECT name, version, server_hash, status, status_message, published_at, updated_at, status_changed_at,
    vanished_at
FROM entries
WHERE upstream = $upstream
