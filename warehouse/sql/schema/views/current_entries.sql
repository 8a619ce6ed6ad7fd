-- Every entry that stands upstream now, with the columns of its server.json; only from the upstream that its name
-- belongs to.
CREATE OR REPLACE VIEW current_entries AS
SELECT e.*, c.* EXCLUDE (server_hash)
FROM entries e
SEMI JOIN current_bindings b ON b.name = e.name AND b.upstream = e.upstream
LEFT JOIN contents c USING (server_hash)
WHERE e.vanished_at IS NULL
