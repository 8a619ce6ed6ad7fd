DELETE FROM package_checks
WHERE (origin, package) IN (SELECT (origin, package) FROM batch_checks)
