-- References of entries that stand upstream and have not been canonicalised yet.
SELECT DISTINCT p.registry_type, p.registry_base_url, p.identifier, p.version
FROM entries e
JOIN packages p USING (server_hash)
ANTI JOIN package_refs r USING (registry_type, registry_base_url, identifier, version)
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL
ORDER BY ALL
