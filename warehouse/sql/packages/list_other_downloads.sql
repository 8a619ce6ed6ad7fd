-- Packages whose count is another than the one before.
SELECT b.origin, b.package
FROM batch_popularity b
LEFT JOIN current_popularity c USING (origin, package)
WHERE b.downloads IS DISTINCT FROM c.downloads
