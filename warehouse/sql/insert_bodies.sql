INSERT INTO bodies
SELECT hash, body, $now
FROM batch_bodies
ANTI JOIN bodies USING (hash)
