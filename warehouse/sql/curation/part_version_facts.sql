-- The version facts of the packages that a part refers to.
CREATE TEMP TABLE part_version_facts AS
FROM version_facts SEMI JOIN part_package_refs USING (origin, package)
