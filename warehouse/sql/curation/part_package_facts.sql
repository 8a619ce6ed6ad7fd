-- The facts of the packages that a part refers to.
CREATE TEMP TABLE part_package_facts AS
FROM package_facts SEMI JOIN part_package_refs USING (origin, package)
