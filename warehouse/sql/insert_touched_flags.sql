INSERT INTO touched SELECT name, version FROM flags
