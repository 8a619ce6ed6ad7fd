-- When a verdict of a feed last changed or was lost, and whether one did at exactly an instant.
SELECT max(changed_at) AS changed_at, coalesce(bool_or(changed_at = $at), false) AS known
FROM verdict_changes
WHERE feed = $feed
