-- All claimants of the packages that the servers in `scope` claim, as they are now.
CREATE TEMP TABLE all_package_claimants AS
FROM package_claimants
SEMI JOIN next_package_claimants USING (origin, package)
ANTI JOIN scope USING (name)
UNION ALL
FROM next_package_claimants
