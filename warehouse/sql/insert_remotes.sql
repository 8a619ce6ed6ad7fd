INSERT INTO remotes
SELECT * FROM batch_remotes
ANTI JOIN contents USING (server_hash)
