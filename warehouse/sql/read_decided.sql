SELECT CASE WHEN $at IS NULL THEN max(decided_at) ELSE $at END AS decided_at
FROM verdicts
WHERE feed = $feed
HAVING count(*) > 0
