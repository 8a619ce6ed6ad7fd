-- How many servers claim each package with an entry that stands upstream, as of the last curation.
CREATE OR REPLACE VIEW package_claims AS
SELECT origin, package, count(*) AS claimants
FROM package_claimants
WHERE stands
GROUP BY origin, package
