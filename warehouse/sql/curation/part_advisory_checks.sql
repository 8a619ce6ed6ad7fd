-- The advisory checks of the package versions that a part refers to.
CREATE TEMP TABLE part_advisory_checks AS
FROM advisory_checks SEMI JOIN part_package_refs USING (purl)
