UPDATE quarantine SET
    last_seen = $now,
    retry_at = CASE WHEN released_at IS NULL THEN retry_at ELSE $now + INTERVAL 1 HOUR END,
    attempts = CASE WHEN released_at IS NULL THEN attempts ELSE 0 END,
    released_at = NULL,
    released_because = NULL
FROM incoming_unreadable i
WHERE quarantine.upstream = $upstream AND quarantine.raw_hash = i.raw_hash
