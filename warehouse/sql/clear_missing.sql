UPDATE entries SET missing_since = NULL
WHERE upstream = $upstream AND missing_since IS NOT NULL
    AND (
        (name, version) IN (SELECT (name, version) FROM reading)
        OR (name, version) IN (SELECT (name, version) FROM incoming_unreadable)
    )
