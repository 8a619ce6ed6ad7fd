-- Packages whose last check came to something else than the one before.
INSERT INTO touched
SELECT 'package', b.origin || ':' || b.package
FROM batch_checks b
LEFT JOIN package_checks c USING (origin, package)
WHERE (b.outcome, b.stale_since) IS DISTINCT FROM (c.outcome, c.stale_since)
