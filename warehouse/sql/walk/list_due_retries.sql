SELECT name, version
FROM quarantine
WHERE upstream = $upstream AND released_at IS NULL AND coalesce(retry_at, last_seen) <= $now
    AND name IS NOT NULL AND version IS NOT NULL
GROUP BY name, version
ORDER BY min(retry_at) NULLS FIRST, name, version
LIMIT $limit
