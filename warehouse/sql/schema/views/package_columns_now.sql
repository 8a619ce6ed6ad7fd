-- Per entry, what its packages amount to now: the package part of policy_columns.
CREATE OR REPLACE VIEW package_columns_now AS
SELECT
    upstream, name, version,
    list_sort(list_distinct(list(registry_type))) AS registry_types,
    count(*) FILTER (absent) AS absent_package_count,
    count(*) FILTER (absent IS NULL) AS unknown_package_count,
    count(*) FILTER (stale_since IS NOT NULL) AS stale_package_count,
    -- While a package is unknown, zero may be wrong: then only a positive count is given.
    CASE WHEN bool_or(deprecated IS NOT NULL) OR NOT bool_or(untold)
        THEN count(*) FILTER (deprecated IS NOT NULL) END AS deprecated_package_count,
    CASE WHEN bool_or(yanked) OR NOT bool_or(untold)
        THEN count(*) FILTER (yanked) END AS yanked_package_count,
    CASE WHEN bool_or(install_scripts) OR NOT bool_or(untold)
        THEN count(*) FILTER (install_scripts) END AS install_script_package_count,
    CASE WHEN bool_or(provenance) OR NOT bool_or(untold)
        THEN count(*) FILTER (provenance) END AS provenance_package_count,
    -- SPDX's words stand for what is no license, so that no test of all licenses passes without one.
    list_sort(list_distinct(coalesce(list(coalesce(
        license, CASE WHEN license_status = 'none' THEN 'NONE' ELSE 'NOASSERTION' END
    )) FILTER (license IS NOT NULL OR NOT untold), []))) AS licenses,
    list_sort(list_distinct(list(coalesce(license_status, 'unknown')))) AS license_statuses,
    list_sort(list_distinct(list(identifier))) AS package_identifiers,
    list_sort(list_distinct(coalesce(list(split_part(identifier, '/', 1)) FILTER (
        registry_type = 'npm' AND starts_with(identifier, '@')
    ), []))) AS npm_scopes,
    list_sort(list_distinct(coalesce(list(image_host) FILTER (registry_type = 'oci'), [])))
        AS image_hosts,
    list_sort(list_distinct(coalesce(list(image_owner) FILTER (registry_type = 'oci'), [])))
        AS image_owners,
    list_sort(list_distinct(list(ownership))) AS ownerships,
    list_sort(list_distinct(list(availability))) AS availabilities,
    list_sort(list_distinct(flatten(list(signals)))) AS signals,
    list_sort(list_distinct(coalesce(
        list(provenance_repository) FILTER (provenance_repository IS NOT NULL), []
    ))) AS provenance_repositories,
    CASE
        WHEN bool_or(NOT repository_matches) THEN false
        WHEN count(repository_matches) = count(*) THEN true
    END AS repository_matches,
    CASE WHEN NOT bool_or(untold) THEN max(newer_versions) END AS versions_behind,
    CASE WHEN NOT bool_or(untold) THEN max(days_behind) END AS days_behind,
    CASE WHEN NOT bool_or(untold) THEN min(first_published_at) END AS package_first_published_at,
    max(CASE WHEN package_version = '' THEN latest_published_at ELSE version_published_at END)
        AS newest_publication,
    CASE WHEN NOT bool_or(untold) THEN newest_publication END AS package_published_at,
    bool_and(
        rejected IS NOT NULL OR coalesce(origin, registry_type) NOT IN (SELECT kind FROM ecosystems WHERE has_publication)
        OR CASE WHEN package_version = '' THEN latest_published_at ELSE version_published_at END
            IS NOT NULL
    ) AS publication_known,
    max(digest_moved_at) AS digest_moved_at,
    max(owners_changed_at) AS owners_changed_at,
    max(claimants) AS claimant_count,
    max(downloads) AS downloads,
    min(checked_at) AS asked_at,
    list_sort(list_distinct(list(source) FILTER (source IS NOT NULL))) AS sources
FROM (
    SELECT
        *, absent IS NULL AS untold,
        -- As published: the first part is a host if it looks like one, else the image is Docker Hub's.
        CASE WHEN regexp_matches(split_part(image, '/', 1), '[.:]|^localhost$') AND contains(image, '/')
            THEN lower(split_part(image, '/', 1)) ELSE 'docker.io' END AS image_host,
        CASE
            WHEN NOT contains(image, '/') THEN 'library'
            WHEN regexp_matches(split_part(image, '/', 1), '[.:]|^localhost$')
                THEN split_part(image, '/', 2)
            ELSE split_part(image, '/', 1)
        END AS image_owner
    FROM (
        SELECT
            *,
            CASE WHEN registry_base_url <> ''
                THEN rtrim(regexp_replace(registry_base_url, '^[a-z]+://', ''), '/') || '/' || identifier
                ELSE identifier END AS image
        FROM entry_packages
    )
    LEFT JOIN current_popularity USING (origin, package)
)
GROUP BY upstream, name, version
