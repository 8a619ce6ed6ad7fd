SELECT upstream, name, version, reason, first_seen, last_seen, attempts, retry_at, released_at,
    released_because, octet_length(raw) AS bytes, raw_hash
FROM quarantine
WHERE released_at IS NULL OR $released
ORDER BY released_at DESC NULLS FIRST, upstream, name, version, first_seen
