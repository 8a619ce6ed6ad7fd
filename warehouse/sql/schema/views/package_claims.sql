-- How many servers claim each package with an entry that stands upstream.
CREATE OR REPLACE VIEW package_claims AS
SELECT r.origin, r.package, count(DISTINCT e.name) AS claimants
FROM entries e
JOIN packages p USING (server_hash)
JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
WHERE r.origin IS NOT NULL AND e.status <> 'deleted' AND e.vanished_at IS NULL
GROUP BY r.origin, r.package
