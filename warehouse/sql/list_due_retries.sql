SELECT DISTINCT name, version
FROM quarantine
WHERE upstream = $upstream AND released_at IS NULL AND coalesce(retry_at, last_seen) <= $now
    AND name IS NOT NULL AND version IS NOT NULL
ORDER BY name, version
LIMIT $limit
