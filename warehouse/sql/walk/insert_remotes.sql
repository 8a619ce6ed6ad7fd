INSERT INTO remotes
SELECT b.* FROM batch_remotes b
ANTI JOIN known_bodies k ON k.hash = b.server_hash
