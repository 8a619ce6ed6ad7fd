SELECT DISTINCT name FROM entries
UNION
SELECT DISTINCT name FROM published_entries WHERE feed = $feed
ORDER BY name
