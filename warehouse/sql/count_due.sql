-- Per origin: packages claimed, due now, done today, failing, stale, with something missing.
-- What was claimed since the last run is `unread`: that run says where it belongs.
SELECT
    coalesce(r.origin, 'unread') AS origin,
    count(DISTINCT coalesce(r.package, p.identifier)) AS packages,
    count(DISTINCT coalesce(r.package, p.identifier)) FILTER (h.package IS NULL OR h.due_at <= $now) AS due,
    count(DISTINCT coalesce(r.package, p.identifier)) FILTER (h.checked_at >= date_trunc('day', $now::TIMESTAMPTZ)) AS done,
    count(DISTINCT coalesce(r.package, p.identifier)) FILTER (h.failures > 0) AS failing,
    count(DISTINCT coalesce(r.package, p.identifier)) FILTER (h.stale_since IS NOT NULL) AS stale,
    count(DISTINCT coalesce(r.package, p.identifier)) FILTER (h.absent_since IS NOT NULL) AS missing,
    max(CASE WHEN o.day = strftime($now::TIMESTAMPTZ, '%Y-%m-%d') THEN o.requests ELSE 0 END) AS requests,
    max(o.share) AS share,
    max(o.closed_until) FILTER (o.closed_until > $now) AS closed_until,
    max(o.reason) FILTER (o.closed_until > $now) AS reason
FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
JOIN packages p USING (server_hash)
LEFT JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
LEFT JOIN package_checks h ON h.origin = r.origin AND h.package = r.package
LEFT JOIN hosts o ON o.origin = r.origin
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
GROUP BY ALL
ORDER BY origin
