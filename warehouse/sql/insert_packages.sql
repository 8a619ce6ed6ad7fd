INSERT INTO packages
SELECT * FROM batch_packages
ANTI JOIN contents USING (server_hash)
