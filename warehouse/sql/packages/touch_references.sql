-- Servers with an entry that claims one of these references.
INSERT INTO touched
SELECT DISTINCT 'name', e.name
FROM batch_refs b
JOIN packages p USING (registry_type, registry_base_url, identifier, version)
JOIN entries e USING (server_hash)
