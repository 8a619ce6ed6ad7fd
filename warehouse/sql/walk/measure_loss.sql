-- Of the known entries that are not missing already: how many a full walk did not meet (`missing`), how many it met
-- in an earlier state than the known one (`older`), and how many are newer than all it met (`newer`).
WITH known AS (
    SELECT name, version, updated_at
    FROM entries
    WHERE upstream = $upstream AND vanished_at IS NULL AND missing_since IS NULL
),
unmet AS (
    SELECT *
    FROM known
    ANTI JOIN reading USING (name, version)
    ANTI JOIN incoming_unreadable USING (name, version)
)
SELECT
    (SELECT count(*) FROM known) AS known,
    (SELECT count(*) FROM unmet WHERE updated_at < $horizon) AS missing,
    (
        SELECT count(*)
        FROM known k
        JOIN reading r USING (name, version)
        WHERE r.updated_at < k.updated_at AND k.updated_at < $horizon
    ) AS older,
    (
        SELECT count(*)
        FROM known
        ANTI JOIN incoming_unreadable USING (name, version)
        WHERE updated_at < $horizon AND updated_at > (SELECT max(updated_at) FROM reading)
    ) AS newer
