SELECT
    r.origin,
    count(DISTINCT r.package) AS packages,
    count(DISTINCT r.package) FILTER (h.package IS NULL OR h.due_at <= $now) AS due,
    count(DISTINCT r.package) FILTER (h.failures > 0) AS failing
FROM entries e
JOIN packages p USING (server_hash)
JOIN package_refs r USING (registry_type, registry_base_url, identifier, version)
LEFT JOIN package_checks h ON h.origin = r.origin AND h.package = r.package
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
GROUP BY r.origin
ORDER BY r.origin
