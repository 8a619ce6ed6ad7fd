INSERT INTO contents
SELECT b.* FROM batch_contents b
ANTI JOIN known_bodies k ON k.hash = b.server_hash
