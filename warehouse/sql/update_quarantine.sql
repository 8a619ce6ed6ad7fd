UPDATE quarantine SET last_seen = $now, released_at = NULL
FROM incoming_unreadable i
WHERE quarantine.upstream = $upstream AND quarantine.raw_hash = i.raw_hash
