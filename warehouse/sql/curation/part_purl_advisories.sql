-- The advisories of the package versions that a part refers to.
CREATE TEMP TABLE part_purl_advisories AS
FROM purl_advisories SEMI JOIN part_package_refs USING (purl)
