SELECT
    (SELECT count(*) FROM entries WHERE upstream = $upstream AND vanished_at IS NULL) AS known,
    (SELECT count(*) FROM reading) AS met,
    (SELECT max(updated_at) FROM reading) AS newest,
    (
        SELECT max(updated_at) FROM entries
        WHERE upstream = $upstream AND vanished_at IS NULL AND updated_at < $horizon
    ) AS known_newest,
    (
        SELECT count(*) FROM entries e
        ANTI JOIN reading r USING (name, version)
        ANTI JOIN incoming_unreadable u USING (name, version)
        WHERE e.upstream = $upstream AND e.vanished_at IS NULL AND e.updated_at < $horizon
    ) AS missing
