-- How many servers claim each package of the scope.
CREATE TEMP TABLE part_package_claims AS
SELECT origin, package, count(*) AS claimants
FROM all_package_claimants
WHERE stands
GROUP BY origin, package
