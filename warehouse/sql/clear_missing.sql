UPDATE entries SET missing_since = NULL
FROM reading r
WHERE entries.upstream = $upstream AND entries.name = r.name AND entries.version = r.version
    AND entries.missing_since IS NOT NULL
