SELECT DISTINCT name FROM entries
UNION
SELECT DISTINCT name FROM served WHERE feed = $feed
ORDER BY name
