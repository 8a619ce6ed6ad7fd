-- Whoever claims a package whose claimants changed: the number of its claimants is another.
INSERT INTO scope
SELECT DISTINCT name
FROM package_claimants
SEMI JOIN changed_package_claimants USING (origin, package)
ANTI JOIN scope USING (name)
