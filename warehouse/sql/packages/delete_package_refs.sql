DELETE FROM package_refs
WHERE (registry_type, registry_base_url, identifier, version)
    IN (SELECT (registry_type, registry_base_url, identifier, version) FROM batch_refs)
