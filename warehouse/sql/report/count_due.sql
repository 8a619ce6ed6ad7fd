-- Per origin: packages claimed, due now, done today, failing, stale, with something missing, and the state of its
-- host. References claimed since the last run count as `unread`: the next run assigns them to an origin.
SELECT
    w.origin,
    count(*) AS packages,
    count(*) FILTER (due_now) AS due,
    count(*) FILTER (checked_at >= date_trunc('day', $now::TIMESTAMPTZ)) AS done,
    count(*) FILTER (w.failures > 0) AS failing,
    count(*) FILTER (stale_since IS NOT NULL) AS stale,
    count(*) FILTER (absent_since IS NOT NULL) AS missing,
    max(CASE WHEN o.day = strftime($now::TIMESTAMPTZ, '%Y-%m-%d') THEN o.requests ELSE 0 END)
        AS requests,
    max(o.load_factor) AS load_factor,
    max(o.closed_until) FILTER (o.closed_until > $now) AS closed_until,
    max(o.reason) FILTER (o.closed_until > $now) AS reason
FROM packages_wanted($now) w
LEFT JOIN hosts o USING (origin)
GROUP BY w.origin
UNION ALL BY NAME
SELECT
    'unread' AS origin, count(*) AS packages, count(*) AS due, 0 AS done, 0 AS failing,
    0 AS stale, 0 AS missing, 0 AS requests
FROM (
    SELECT DISTINCT p.registry_type, p.registry_base_url, p.identifier
    FROM packages p
    SEMI JOIN (FROM entries WHERE status <> 'deleted' AND vanished_at IS NULL) USING (server_hash)
    ANTI JOIN package_refs USING (registry_type, registry_base_url, identifier, version)
)
HAVING count(*) > 0
ORDER BY origin
