-- When a verdict of a feed last became another one, or was lost.
SELECT max(instant) AS changed_at
FROM (
    SELECT max(changed_at) AS instant FROM verdicts WHERE feed = $feed
    UNION ALL
    SELECT max(lost_at) FROM lost_verdicts WHERE feed = $feed
)
