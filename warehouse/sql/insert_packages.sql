INSERT INTO packages
SELECT * FROM batch_packages
SEMI JOIN new_contents USING (server_hash)
