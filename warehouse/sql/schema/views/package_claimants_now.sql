-- Which servers claim each package now, and whether with an entry that stands upstream.
CREATE OR REPLACE VIEW package_claimants_now AS
SELECT
    r.origin, r.package, e.name, bool_or(e.status <> 'deleted' AND e.vanished_at IS NULL) AS stands
FROM entries e
JOIN packages p USING (server_hash)
JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
WHERE r.origin IS NOT NULL
GROUP BY r.origin, r.package, e.name
