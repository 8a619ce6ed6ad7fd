-- References of entries that stand upstream and that the present rules have not read yet.
SELECT DISTINCT p.registry_type, p.registry_base_url, p.identifier, p.version
FROM packages p
SEMI JOIN (
    SELECT server_hash FROM entries WHERE status <> 'deleted' AND vanished_at IS NULL
) e USING (server_hash)
ANTI JOIN (SELECT * FROM package_refs WHERE rules = $rules) r
    USING (registry_type, registry_base_url, identifier, version)
ORDER BY ALL
