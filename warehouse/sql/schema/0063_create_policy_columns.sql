-- policy_columns(INSTANT): one row per known entry with every column that a rule may use, ages as of an instant.
CREATE MACRO policy_columns(instant) AS TABLE
SELECT
    e.upstream,
    e.name,
    e.version,
    split_part(e.name, '/', 1) AS namespace,
    publisher_of(e.name) AS publisher,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    e.is_latest,
    e.published_at,
    e.updated_at,
    e.first_seen,
    greatest(epoch_us(instant) - epoch_us(e.published_at), 0) // 86400000000 AS age_days,
    greatest(epoch_us(instant) - epoch_us(e.updated_at), 0) // 86400000000 AS updated_days,
    c.title,
    c.description,
    c.website_url,
    c.repository_url,
    c.repository_source,
    coalesce(c.package_count, 0) AS package_count,
    coalesce(c.remote_count, 0) AS remote_count,
    coalesce(p.registry_types, []) AS registry_types,
    coalesce(t.transports, []) AS transports,
    coalesce(t.hosts, []) AS hosts,
    coalesce(p.absent_package_count, 0) AS absent_package_count,
    coalesce(p.unknown_package_count, 0) AS unknown_package_count,
    coalesce(p.stale_package_count, 0) AS stale_package_count,
    CASE WHEN p.name IS NULL THEN 0 ELSE p.deprecated_package_count END AS deprecated_package_count,
    CASE WHEN p.name IS NULL THEN 0 ELSE p.yanked_package_count END AS yanked_package_count,
    CASE WHEN p.name IS NULL THEN 0 ELSE p.install_script_package_count END AS install_script_package_count,
    CASE WHEN p.name IS NULL THEN 0 ELSE p.provenance_package_count END AS provenance_package_count,
    CASE WHEN p.name IS NULL THEN [] ELSE p.licenses END AS licenses,
    coalesce(p.ownerships, []) AS ownerships,
    coalesce(p.availabilities, []) AS availabilities,
    CASE WHEN p.name IS NULL THEN [] ELSE p.signals END AS signals,
    CASE WHEN p.name IS NULL THEN [] ELSE p.provenance_repositories END AS provenance_repositories,
    p.repository_matches,
    p.versions_behind,
    p.days_behind,
    p.package_first_published_at,
    p.package_published_at,
    greatest(epoch_us(instant) - epoch_us(p.package_published_at), 0) // 86400000000 AS package_age_days,
    p.digest_moved_at,
    p.owners_changed_at,
    p.downloads,
    coalesce(p.claimant_count, 0) AS claimant_count,
    coalesce(k.cluster_size, 1) AS cluster_size,
    k.cluster_kind,
    k.cluster_key,
    coalesce(k.canonical_name, e.name) AS canonical_name,
    coalesce(k.is_canonical, true) AS is_canonical,
    s.owns_repository,
    CASE WHEN len(t.hosts) > 0 THEN len(list_filter(t.hosts, lambda h: ends_with(
        '.' || h, '.' || array_to_string(list_reverse(string_split(lower(split_part(e.name, '/', 1)), '.')), '.')
    ))) = len(t.hosts) END AS owns_remotes,
    coalesce(f.publisher_server_count, 0) AS publisher_server_count,
    coalesce(f.publisher_rank, 0) AS publisher_rank,
    coalesce(h.host_server_count, 0) AS host_server_count,
    coalesce(h.host_rank, 0) AS host_rank,
    list_concat(
        text_flags(concat_ws(' ', c.title, c.description)),
        CASE WHEN l.namespace IS NOT NULL THEN ['look_alike'] ELSE [] END
    ) AS text_flags,
    l.look_alike_of,
    -- What a cooldown and an explanation need besides.
    CASE WHEN e.first_seen = b.bootstrap THEN e.published_at ELSE e.first_seen END AS known_since,
    coalesce(p.publication_known, true) AS publication_known,
    p.asked_at,
    p.sources,
    b.pulled_at
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    SELECT
        upstream, name, version,
        list_sort(list_distinct(list(registry_type))) AS registry_types,
        count(*) FILTER (absent) AS absent_package_count,
        count(*) FILTER (absent IS NULL) AS unknown_package_count,
        count(*) FILTER (stale_since IS NOT NULL) AS stale_package_count,
        CASE WHEN bool_or(deprecated IS NOT NULL) OR NOT bool_or(untold)
            THEN count(*) FILTER (deprecated IS NOT NULL) END AS deprecated_package_count,
        CASE WHEN bool_or(yanked) OR NOT bool_or(untold)
            THEN count(*) FILTER (yanked) END AS yanked_package_count,
        CASE WHEN bool_or(install_scripts) OR NOT bool_or(untold)
            THEN count(*) FILTER (install_scripts) END AS install_script_package_count,
        CASE WHEN bool_or(provenance) OR NOT bool_or(untold)
            THEN count(*) FILTER (provenance) END AS provenance_package_count,
        CASE WHEN NOT bool_and(untold) THEN
            list_sort(list_distinct(coalesce(list(license) FILTER (license IS NOT NULL), [])))
        END AS licenses,
        list_sort(list_distinct(list(ownership))) AS ownerships,
        list_sort(list_distinct(list(availability))) AS availabilities,
        CASE WHEN NOT bool_and(untold) OR len(flatten(list(signals))) > 0
            THEN list_sort(list_distinct(flatten(list(signals)))) END AS signals,
        CASE WHEN NOT bool_and(untold) THEN list_sort(list_distinct(coalesce(
            list(provenance_repository) FILTER (provenance_repository IS NOT NULL), []
        ))) END AS provenance_repositories,
        CASE
            WHEN bool_or(NOT repository_matches) THEN false
            WHEN count(repository_matches) = count(*) THEN true
        END AS repository_matches,
        max(newer_versions) AS versions_behind,
        max(days_behind) AS days_behind,
        min(first_published_at) AS package_first_published_at,
        max(CASE WHEN package_version = '' THEN latest_published_at ELSE version_published_at END)
            AS package_published_at,
        bool_and(
            rejected IS NOT NULL OR coalesce(origin, registry_type) NOT IN ('npm', 'pypi')
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
        SELECT *, absent IS NULL AS untold
        FROM entry_packages
        LEFT JOIN current_popularity USING (origin, package)
    )
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT
        server_hash,
        list_sort(list_distinct(list(type))) AS transports,
        list_sort(list_distinct(list(
            regexp_extract(lower(url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1)
        ))) AS hosts
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash)
LEFT JOIN (
    SELECT
        name,
        max(size) AS cluster_size,
        bool_and(place = 1) AS is_canonical,
        arg_min(kind, (place = 1, kind, -size, key)) AS cluster_kind,
        arg_min(key, (place = 1, kind, -size, key)) AS cluster_key,
        arg_min(canonical_name, (place = 1, kind, -size, key)) AS canonical_name
    FROM clusters
    GROUP BY name
) k ON k.name = e.name
LEFT JOIN standing_servers s ON s.upstream = e.upstream AND s.name = e.name
LEFT JOIN (
    SELECT
        name, count(*) OVER (PARTITION BY publisher) AS publisher_server_count,
        row_number() OVER (PARTITION BY publisher ORDER BY born, name) AS publisher_rank
    FROM standing_servers
) f ON f.name = e.name
LEFT JOIN (
    SELECT name, max(servers) AS host_server_count, max(place) AS host_rank
    FROM server_hosts
    GROUP BY name
) h ON h.name = e.name
LEFT JOIN name_look_alikes l ON l.namespace = split_part(e.name, '/', 1)
LEFT JOIN (
    SELECT upstream, bootstrap, pulled_at
    FROM (SELECT upstream, min(first_seen) AS bootstrap FROM entries GROUP BY upstream)
    LEFT JOIN (SELECT upstream, max(committed_at) AS pulled_at FROM walks GROUP BY upstream)
        USING (upstream)
) b ON b.upstream = e.upstream
