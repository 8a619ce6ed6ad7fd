-- Admitted versions of servers that have several, by name. A deleted version is no version to show.
SELECT d.name, d.version, e.published_at
FROM deciding d
JOIN entries e USING (upstream, name, version)
WHERE d.verdict = 'admit' AND e.status <> 'deleted' AND e.vanished_at IS NULL
QUALIFY count(*) OVER (PARTITION BY d.name) > 1
ORDER BY d.name, d.version
