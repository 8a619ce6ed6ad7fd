-- Advisories of the batch that are stored with another modification time or not at all, or that have none.
SELECT DISTINCT b.id, b.modified
FROM batch_named b
LEFT JOIN current_advisories a USING (id)
WHERE a.modified IS DISTINCT FROM b.modified OR b.modified = ''
ORDER BY b.id
