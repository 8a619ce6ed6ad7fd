INSERT INTO packages
SELECT b.* FROM batch_packages b
ANTI JOIN known_bodies k ON k.hash = b.server_hash
