-- A suspected absence of a version becomes known once enough answers confirmed it.
INSERT INTO version_facts
SELECT c.* REPLACE ('known' AS state, $now AS observed_at)
FROM current_version_facts c
SEMI JOIN batch_confirmed b USING (origin, package, version)
WHERE c.state = 'unknown'
RETURNING origin, package
