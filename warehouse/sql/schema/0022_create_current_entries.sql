-- Every entry that stands upstream now, with the columns of its server.json.
CREATE VIEW current_entries AS
SELECT e.*, c.* EXCLUDE (server_hash)
FROM entries e
LEFT JOIN contents c USING (server_hash)
WHERE e.vanished_at IS NULL
