INSERT INTO bodies
SELECT hash, body, $now
FROM batch_bodies
ANTI JOIN known_bodies USING (hash)
