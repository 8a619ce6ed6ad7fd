-- Asked for and still unreadable: ask again after 2, 4, 8 ... hours, at most a week.
UPDATE quarantine SET
    attempts = attempts + 1,
    retry_at = $now + to_hours(least(2 ** (attempts + 1), 168)::INTEGER)
FROM retries_asked a
WHERE quarantine.upstream = $upstream AND quarantine.released_at IS NULL
    AND quarantine.name = a.name AND quarantine.version = a.version
