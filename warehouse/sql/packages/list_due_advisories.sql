-- Package versions whose advisories are due, those never asked for first.
SELECT DISTINCT r.purl, c.checked_at
FROM package_refs r
JOIN packages p
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
SEMI JOIN (SELECT server_hash FROM entries WHERE vanished_at IS NULL AND status <> 'deleted') e USING (server_hash)
LEFT JOIN advisory_checks c USING (purl)
WHERE r.origin IN (SELECT kind FROM ecosystems WHERE has_advisories) AND r.version_kind = 'exact'
    AND (c.checked_at IS NULL OR c.checked_at <= $since)
    AND NOT list_contains($but::VARCHAR[], r.purl)
ORDER BY c.checked_at NULLS FIRST, r.purl
LIMIT $budget
