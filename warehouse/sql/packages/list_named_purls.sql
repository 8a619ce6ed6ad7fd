-- Package versions that these advisories name.
SELECT DISTINCT p.purl
FROM purl_advisories p
WHERE list_has_any(p.ids, (SELECT list(id) FROM batch_advisories))
