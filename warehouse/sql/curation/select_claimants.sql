-- Who claims the packages of the servers in `scope`.
CREATE TEMP TABLE next_package_claimants AS
FROM package_claimants_now
