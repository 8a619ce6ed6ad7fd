SELECT max(decided_at) AS decided_at, max(outline_hash) AS outline_hash
FROM verdicts
WHERE feed = $feed
HAVING count(*) > 0
