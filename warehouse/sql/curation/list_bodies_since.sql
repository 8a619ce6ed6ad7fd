-- Of the wanted bodies those that came after an instant: without a look at older ones.
SELECT hash, body
FROM bodies
SEMI JOIN wanted USING (hash)
WHERE first_seen > $since
