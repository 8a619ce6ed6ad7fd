-- Entries that neither this full walk nor the one before met; this one alone, if an operator accepts the loss; or that
-- were not met where absence is certain. An unreadable record without a key may be any of them: then only a 404 makes a
-- tombstone.
CREATE OR REPLACE TEMP TABLE vanished AS
SELECT e.name, e.version
FROM entries e
ANTI JOIN reading r USING (name, version)
ANTI JOIN incoming_unreadable u USING (name, version)
WHERE e.upstream = $upstream AND e.vanished_at IS NULL
    AND (
        (
            (e.missing_since IS NOT NULL OR $accepted) AND e.updated_at < $horizon AND $keyless = 0
            AND (e.commit <= $after_commit OR e.commit = $commit)
        )
        OR $certain
    )
