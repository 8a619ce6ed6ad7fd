-- Readings that move flags: new, changed, or back after vanishing. For this no contents need to be compared.
CREATE OR REPLACE TEMP TABLE changed AS
SELECT r.*
FROM reading r
LEFT JOIN (SELECT * FROM entries WHERE upstream = $upstream) e USING (name, version)
WHERE e.name IS NULL
    OR r.updated_at > e.updated_at
    OR (
        (r.updated_at = e.updated_at OR r.direct) AND r.after_commit >= e.commit AND NOT r.stale
        AND (
            r.updated_at <> e.updated_at OR r.is_latest <> e.is_latest
            OR e.vanished_at IS NOT NULL
        )
    )
