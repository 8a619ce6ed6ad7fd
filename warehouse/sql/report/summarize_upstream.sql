-- What is known of one upstream: entries whose names belong to it, by status; names that another upstream has
-- (`contested`); records that cannot be read; and its last full walk.
SELECT
    count(DISTINCT e.name) FILTER (own AND vanished_at IS NULL) AS servers,
    count(*) FILTER (own AND vanished_at IS NULL) AS versions,
    count(*) FILTER (own AND vanished_at IS NULL AND status = 'active') AS active,
    count(*) FILTER (own AND vanished_at IS NULL AND status = 'deprecated') AS deprecated,
    count(*) FILTER (own AND vanished_at IS NULL AND status = 'deleted') AS deleted,
    count(*) FILTER (own AND vanished_at IS NOT NULL) AS vanished,
    count(*) FILTER (own AND vanished_at IS NULL AND missing_since IS NOT NULL) AS missing,
    count(DISTINCT e.name) FILTER (NOT own AND vanished_at IS NULL) AS contested,
    (
        SELECT count(*) FROM quarantine
        WHERE upstream = $upstream AND released_at IS NULL
    ) AS quarantined,
    (SELECT full_walk_at FROM state WHERE upstream = $upstream) AS full_walk_at
FROM (
    SELECT e.*, b.upstream IS NOT DISTINCT FROM e.upstream AS own
    FROM entries e
    LEFT JOIN current_bindings b USING (name)
    WHERE e.upstream = $upstream
) e
