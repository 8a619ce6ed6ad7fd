-- Per content, what the advisories of its packages amount to now; NULL if none is known and a package was not
-- checked.
CREATE OR REPLACE VIEW advisory_columns_now AS
SELECT
    server_hash,
    CASE WHEN count(ids) FILTER (len(ids) > 0) > 0 OR NOT bool_or(unchecked)
        THEN list_sort(list_distinct(flatten(list(coalesce(ids, []))))) END AS advisories,
    CASE WHEN count(ids) FILTER (len(ids) > 0) > 0 OR NOT bool_or(unchecked)
        THEN list_sort(list_distinct(flatten(list(coalesce(severities, []))))) END AS severities,
    CASE WHEN bool_or(malicious) THEN true WHEN NOT bool_or(unchecked) THEN false END AS is_malicious
FROM (
    SELECT
        p.server_hash, a.ids, a.severities, a.malicious,
        a.purl IS NULL AND coalesce(r.origin, p.registry_type) IN (SELECT kind FROM ecosystems WHERE has_advisories)
            AS unchecked
    FROM packages p
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN current_purl_advisories a ON a.purl = r.purl
)
GROUP BY server_hash
