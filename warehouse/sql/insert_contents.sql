INSERT INTO contents
SELECT * FROM batch_contents
SEMI JOIN new_contents USING (server_hash)
