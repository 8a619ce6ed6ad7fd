-- The references that a part's packages claim.
CREATE TEMP TABLE part_package_refs AS
FROM package_refs SEMI JOIN part_packages USING (registry_type, registry_base_url, identifier, version)
