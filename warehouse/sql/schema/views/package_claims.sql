-- How many servers claim each package with an entry that stands upstream.
CREATE OR REPLACE VIEW package_claims AS
SELECT origin, package, count(*) AS claimants
FROM package_claimants_now
WHERE stands
GROUP BY origin, package
