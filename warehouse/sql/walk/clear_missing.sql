-- The walk met these entries. `listed`: in the list; else only the detail route showed them, which `hidden` counts.
UPDATE entries SET missing_since = NULL, hidden = CASE WHEN $listed THEN 0 ELSE hidden + 1 END
WHERE upstream = $upstream AND (missing_since IS NOT NULL OR hidden > 0)
    AND (
        (name, version) IN (SELECT (name, version) FROM reading)
        OR (name, version) IN (SELECT (name, version) FROM incoming_unreadable)
    )
