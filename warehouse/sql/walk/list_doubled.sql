-- Checks an invariant: no row may come out of this, since a key stands once per upstream.
SELECT e.name, e.version
FROM entries e
SEMI JOIN (SELECT name FROM changed WHERE is_new) n USING (name)
WHERE e.upstream = $upstream
GROUP BY e.name, e.version
HAVING count(*) > 1
LIMIT 1
