SELECT
    r.origin,
    count(DISTINCT r.package) AS packages,
    count(DISTINCT r.package) FILTER (h.package IS NULL OR h.due_at <= $now) AS due,
    count(DISTINCT r.package) FILTER (h.failures > 0) AS failing
FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
JOIN packages p USING (server_hash)
JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
LEFT JOIN package_checks h ON h.origin = r.origin AND h.package = r.package
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
GROUP BY r.origin
ORDER BY r.origin
