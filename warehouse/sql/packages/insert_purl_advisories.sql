-- Insert only lists that differ from the newest one of the same package version.
INSERT INTO purl_advisories
SELECT b.purl, b.ids, b.source, b.observed_at
FROM batch_purls b
LEFT JOIN (
    SELECT * FROM purl_advisories
    QUALIFY row_number() OVER (PARTITION BY purl ORDER BY observed_at DESC) = 1
) p USING (purl)
WHERE p.ids IS DISTINCT FROM b.ids OR p.source IS DISTINCT FROM b.source
RETURNING purl
