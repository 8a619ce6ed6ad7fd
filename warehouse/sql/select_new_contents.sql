CREATE OR REPLACE TEMP TABLE new_contents AS
SELECT server_hash FROM batch_contents
ANTI JOIN contents USING (server_hash)
