-- Readings that are new, or newer than the stored entry and different from it. If both have the same updated_at, the
-- reading is newer if its page was read after the entry was committed. An earlier state is believed only from a route
-- that no cache answers.
CREATE OR REPLACE TEMP TABLE changed AS
SELECT r.*, e.name IS NULL AS is_new
FROM reading r
LEFT JOIN (SELECT * FROM entries WHERE upstream = $upstream) e USING (name, version)
WHERE e.name IS NULL
    OR (
        (
            r.updated_at > e.updated_at
            OR (
                (r.updated_at = e.updated_at OR r.direct)
                AND r.after_commit >= e.commit AND NOT r.stale
            )
            OR $accept_older
        )
        AND (
            r.server_hash <> e.server_hash
            OR r.meta_hash <> e.meta_hash
            OR r.raw_hash IS DISTINCT FROM e.raw_hash
            OR r.is_latest <> e.is_latest
            OR e.vanished_at IS NOT NULL
        )
    )
