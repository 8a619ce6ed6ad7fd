-- The wanted bodies that were first seen after an instant; older ones are not read.
SELECT hash, body
FROM bodies
SEMI JOIN wanted USING (hash)
WHERE first_seen > $since
