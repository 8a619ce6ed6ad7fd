SELECT hash, body
FROM bodies
SEMI JOIN wanted USING (hash)
