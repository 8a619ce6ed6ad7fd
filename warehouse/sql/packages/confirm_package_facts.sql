-- A suspected absence becomes known once enough answers confirmed it.
INSERT INTO package_facts
SELECT c.* REPLACE ('known' AS state, $now AS observed_at)
FROM current_package_facts c
SEMI JOIN (FROM batch_confirmed WHERE version = '') b USING (origin, package)
WHERE c.state = 'unknown'
RETURNING origin, package
