INSERT INTO contents
SELECT * FROM batch_contents
ANTI JOIN contents USING (server_hash)
