-- One row per known entry with every column that a rule may use.
CREATE VIEW policy_columns AS
SELECT
    e.upstream,
    e.name,
    e.version,
    split_part(e.name, '/', 1) AS namespace,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    e.is_latest,
    e.published_at,
    e.updated_at,
    e.first_seen,
    c.title,
    c.description,
    c.website_url,
    c.repository_url,
    c.repository_source,
    coalesce(c.package_count, 0) AS package_count,
    coalesce(c.remote_count, 0) AS remote_count,
    coalesce(p.registry_types, []) AS registry_types,
    coalesce(t.transports, []) AS transports,
    coalesce(p.absent_package_count, 0) AS absent_package_count,
    coalesce(p.unknown_package_count, 0) AS unknown_package_count,
    p.deprecated_package_count,
    p.yanked_package_count,
    coalesce(p.licenses, []) AS licenses
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    SELECT
        upstream, name, version,
        list_sort(list_distinct(list(registry_type))) AS registry_types,
        count(*) FILTER (absent) AS absent_package_count,
        count(*) FILTER (absent IS NULL) AS unknown_package_count,
        count(*) FILTER (deprecated IS NOT NULL) AS deprecated_package_count,
        count(*) FILTER (yanked) AS yanked_package_count,
        list_sort(list_distinct(list(license) FILTER (license IS NOT NULL))) AS licenses
    FROM entry_packages
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT server_hash, list_sort(list_distinct(list(type))) AS transports
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash)
