-- The checks of the packages that a part refers to.
CREATE TEMP TABLE part_package_checks AS
FROM package_checks SEMI JOIN part_package_refs USING (origin, package)
