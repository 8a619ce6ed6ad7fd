-- Not met in this full walk and not in the one before, or not met where absence is certain.
CREATE OR REPLACE TEMP TABLE vanished AS
SELECT e.name, e.version
FROM entries e
ANTI JOIN reading r USING (name, version)
ANTI JOIN incoming_unreadable u USING (name, version)
WHERE e.upstream = $upstream AND e.vanished_at IS NULL
    AND ((e.missing_since IS NOT NULL AND e.updated_at < $horizon) OR $certain)
