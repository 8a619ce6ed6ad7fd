-- Per checked package version: the advisories that are not withdrawn, their severities, and whether one says malware.
CREATE OR REPLACE VIEW current_purl_advisories AS
SELECT
    p.purl, c.checked_at, p.source,
    coalesce(list_sort(list_distinct(list(i.id) FILTER (i.id IS NOT NULL))), []) AS ids,
    coalesce(list_sort(list_distinct(list(coalesce(i.severity, 'UNKNOWN')) FILTER (i.id IS NOT NULL))), [])
        AS severities,
    coalesce(bool_or(i.malicious), false) AS malicious
FROM (
    SELECT * FROM purl_advisories
    QUALIFY row_number() OVER (PARTITION BY purl ORDER BY observed_at DESC) = 1
) p
LEFT JOIN advisory_checks c USING (purl)
LEFT JOIN (
    SELECT n.purl, n.id, a.severity, coalesce(a.malicious, starts_with(n.id, 'MAL-')) AS malicious
    FROM (
        SELECT purl, unnest(ids) AS id
        FROM (
            SELECT * FROM purl_advisories
            QUALIFY row_number() OVER (PARTITION BY purl ORDER BY observed_at DESC) = 1
        )
    ) n
    LEFT JOIN current_advisories a USING (id)
    WHERE NOT coalesce(a.withdrawn, false)
) i ON i.purl = p.purl
GROUP BY p.purl, c.checked_at, p.source
