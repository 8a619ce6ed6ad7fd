-- Advisories of the batch whose newest word is of another modification, or says none.
SELECT DISTINCT b.id, b.modified
FROM batch_named b
LEFT JOIN current_advisories a USING (id)
WHERE a.modified IS DISTINCT FROM b.modified OR b.modified = ''
ORDER BY b.id
