SELECT e.name, e.version
FROM entries e
SEMI JOIN touched USING (name, version)
WHERE e.upstream = $upstream
GROUP BY e.name, e.version
HAVING count(*) > 1
LIMIT 1
