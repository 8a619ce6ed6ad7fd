-- Release records that this walk settled. A sweeping walk met everything there is. A record that was last seen after
-- the walk started is settled only by a direct reading of its key.
UPDATE quarantine SET released_at = $now, released_because = s.because
FROM (
    SELECT
        q.raw_hash,
        CASE
            WHEN r.direct OR (r.name IS NOT NULL AND q.last_seen < $started_at) THEN 'read'
            WHEN u.name IS NOT NULL THEN 'replaced'
            WHEN g.name IS NOT NULL OR ($sweeping AND q.last_seen < $started_at) THEN 'gone'
        END AS because
    FROM quarantine q
    LEFT JOIN reading r ON r.name = q.name AND r.version = q.version AND NOT r.stale
    LEFT JOIN (
        SELECT DISTINCT name, version FROM incoming_unreadable
    ) u ON u.name = q.name AND u.version = q.version
    LEFT JOIN retries_gone g ON g.name = q.name AND g.version = q.version
    WHERE q.upstream = $upstream AND q.released_at IS NULL
        AND q.raw_hash NOT IN (SELECT raw_hash FROM incoming_unreadable)
) s
WHERE quarantine.upstream = $upstream AND quarantine.released_at IS NULL
    AND quarantine.raw_hash = s.raw_hash AND s.because IS NOT NULL
