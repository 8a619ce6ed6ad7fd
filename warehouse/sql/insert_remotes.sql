INSERT INTO remotes
SELECT * FROM batch_remotes
SEMI JOIN new_contents USING (server_hash)
