-- The same of single versions.
INSERT INTO version_facts
SELECT c.* REPLACE ('known' AS state, $now AS observed_at)
FROM current_version_facts c
SEMI JOIN batch_confirmed b USING (origin, package, version)
WHERE c.state = 'unknown'
