-- Packages that are due now, in the order of their tiers; none on a paused host, and of each namespace only so many
-- per day.
WITH wanted AS (
    SELECT * FROM packages_wanted($now)
    WHERE $origin IS NULL OR (origin = $origin AND package = $package)
),
spent AS (
    SELECT namespace, count(*) AS checks FROM wanted
    WHERE checked_at > $now::TIMESTAMPTZ - INTERVAL 1 DAY
    GROUP BY namespace
)
SELECT w.* EXCLUDE (namespace, checked_at, newest, admitted, tier, due_now)
FROM wanted w
LEFT JOIN spent s USING (namespace)
WHERE $origin IS NOT NULL
    OR (w.due_now AND w.origin NOT IN (SELECT origin FROM hosts WHERE closed_until > $now))
-- Checks of the last 24 hours count against the namespace's daily share.
QUALIFY $origin IS NOT NULL OR coalesce(s.checks, 0) + row_number() OVER (
    PARTITION BY w.namespace ORDER BY tier, checked_at NULLS FIRST, w.origin, w.package
) <= $per_namespace
ORDER BY tier, admitted DESC, checked_at NULLS FIRST, newest DESC, w.origin, w.package
LIMIT $budget
