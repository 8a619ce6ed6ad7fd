CREATE OR REPLACE TEMP TABLE vanished AS
SELECT e.name, e.version
FROM entries e
SEMI JOIN confirmed USING (name, version)
WHERE e.upstream = $upstream AND e.vanished_at IS NULL
