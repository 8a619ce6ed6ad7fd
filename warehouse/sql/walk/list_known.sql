SELECT name, version, server_hash, published_at, updated_at, vanished_at
FROM entries
WHERE upstream = $upstream
