-- Servers whose columns may be others than at the last derivation.
CREATE TEMP TABLE scope AS
SELECT e.name
FROM entries e
LEFT JOIN derived_upstreams d USING (upstream)
WHERE d.commit IS NULL OR e.commit > d.commit
UNION
SELECT name FROM bindings WHERE $bound_at IS NULL OR bound_at > $bound_at
UNION
SELECT key FROM touched WHERE kind = 'name'
UNION
SELECT c.name
FROM touched t
JOIN package_claimants c ON c.origin || ':' || c.package = t.key
WHERE t.kind = 'package'
UNION
SELECT c.name
FROM touched t
JOIN package_refs r ON r.purl = t.key
JOIN package_claimants c USING (origin, package)
WHERE t.kind = 'purl'
