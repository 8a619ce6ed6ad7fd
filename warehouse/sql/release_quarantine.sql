-- A record is released when the same key was read well in this walk.
UPDATE quarantine SET released_at = $now
FROM incoming i
WHERE quarantine.upstream = $upstream AND quarantine.released_at IS NULL
    AND quarantine.name = i.name AND quarantine.version = i.version
    AND quarantine.raw_hash NOT IN (SELECT raw_hash FROM incoming_unreadable)
