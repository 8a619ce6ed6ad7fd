-- Advisories of the batch that were not read, or were modified since.
SELECT DISTINCT b.id, b.modified
FROM batch_named b
ANTI JOIN advisories a ON a.id = b.id AND a.modified = b.modified
ORDER BY b.id
