-- The download counts of the packages that a part refers to.
CREATE TEMP TABLE part_popularity AS
FROM popularity SEMI JOIN part_package_refs USING (origin, package)
