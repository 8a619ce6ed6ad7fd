SELECT verdict, rule, count(*) AS count
FROM verdicts
WHERE feed = $feed
GROUP BY verdict, rule
ORDER BY count DESC, rule
