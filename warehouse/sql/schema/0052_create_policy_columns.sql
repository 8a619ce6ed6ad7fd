-- One row per known entry with every column that a rule may use.
CREATE OR REPLACE VIEW policy_columns AS
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
    coalesce(p.stale_package_count, 0) AS stale_package_count,
    p.deprecated_package_count,
    p.yanked_package_count,
    p.install_script_package_count,
    p.provenance_package_count,
    coalesce(p.licenses, []) AS licenses,
    coalesce(p.ownerships, []) AS ownerships,
    coalesce(p.availabilities, []) AS availabilities,
    coalesce(p.signals, []) AS signals,
    coalesce(p.provenance_repositories, []) AS provenance_repositories,
    p.repository_matches,
    p.versions_behind,
    p.days_behind,
    p.package_first_published_at,
    p.package_published_at,
    p.digest_moved_at,
    p.owners_changed_at,
    p.claimant_count,
    p.downloads
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    SELECT
        upstream, name, version,
        list_sort(list_distinct(list(registry_type))) AS registry_types,
        count(*) FILTER (absent) AS absent_package_count,
        count(*) FILTER (absent IS NULL) AS unknown_package_count,
        count(*) FILTER (stale_since IS NOT NULL) AS stale_package_count,
        count(*) FILTER (deprecated IS NOT NULL) AS deprecated_package_count,
        count(*) FILTER (yanked) AS yanked_package_count,
        count(*) FILTER (install_scripts) AS install_script_package_count,
        count(*) FILTER (provenance) AS provenance_package_count,
        list_sort(list_distinct(list(license) FILTER (license IS NOT NULL))) AS licenses,
        list_sort(list_distinct(list(ownership))) AS ownerships,
        list_sort(list_distinct(list(availability))) AS availabilities,
        list_sort(list_distinct(flatten(list(signals)))) AS signals,
        list_sort(list_distinct(
            list(provenance_repository) FILTER (provenance_repository IS NOT NULL)
        )) AS provenance_repositories,
        CASE
            WHEN bool_or(NOT repository_matches) THEN false
            WHEN count(repository_matches) = count(*) THEN true
        END AS repository_matches,
        max(newer_versions) AS versions_behind,
        max(days_behind) AS days_behind,
        min(first_published_at) AS package_first_published_at,
        max(version_published_at) AS package_published_at,
        max(digest_moved_at) AS digest_moved_at,
        max(owners_changed_at) AS owners_changed_at,
        max(claimants) AS claimant_count,
        max(downloads) AS downloads
    FROM entry_packages
    LEFT JOIN current_popularity USING (origin, package)
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT server_hash, list_sort(list_distinct(list(type))) AS transports
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash)
