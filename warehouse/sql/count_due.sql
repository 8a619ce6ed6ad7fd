-- Per origin: packages claimed, due now, done today, failing, stale, with something missing.
SELECT
    r.origin,
    count(DISTINCT r.package) AS packages,
    count(DISTINCT r.package) FILTER (h.package IS NULL OR h.due_at <= $now) AS due,
    count(DISTINCT r.package) FILTER (h.checked_at >= date_trunc('day', $now::TIMESTAMPTZ)) AS done,
    count(DISTINCT r.package) FILTER (h.failures > 0) AS failing,
    count(DISTINCT r.package) FILTER (h.stale_since IS NOT NULL) AS stale,
    count(DISTINCT r.package) FILTER (h.absent_since IS NOT NULL) AS missing,
    max(CASE WHEN o.day = strftime($now::TIMESTAMPTZ, '%Y-%m-%d') THEN o.requests ELSE 0 END) AS requests,
    max(o.share) AS share,
    max(o.closed_until) FILTER (o.closed_until > $now) AS closed_until,
    max(o.reason) FILTER (o.closed_until > $now) AS reason
FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
JOIN packages p USING (server_hash)
JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
LEFT JOIN package_checks h ON h.origin = r.origin AND h.package = r.package
LEFT JOIN hosts o ON o.origin = r.origin
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
GROUP BY r.origin
ORDER BY r.origin
