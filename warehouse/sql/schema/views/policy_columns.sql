-- policy_columns(INSTANT): one row per known entry with every column that a rule may use. Ages are as of the instant;
-- columns about packages and other servers are as of the last curation.
CREATE OR REPLACE MACRO policy_columns(instant) AS TABLE
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
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.deprecated_package_count END AS deprecated_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.yanked_package_count END AS yanked_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.install_script_package_count END AS install_script_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.provenance_package_count END AS provenance_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.licenses END AS licenses,
    coalesce(p.license_statuses, []) AS license_statuses,
    coalesce(p.package_identifiers, []) AS package_identifiers,
    coalesce(p.npm_scopes, []) AS npm_scopes,
    coalesce(p.image_hosts, []) AS image_hosts,
    coalesce(p.image_owners, []) AS image_owners,
    coalesce(p.ownerships, []) AS ownerships,
    coalesce(p.availabilities, []) AS availabilities,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.signals END AS signals,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.provenance_repositories END AS provenance_repositories,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE a.advisories END AS advisories,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE a.severities END AS severities,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN false ELSE a.is_malicious END AS is_malicious,
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
    coalesce(s.cluster_size, 1) AS cluster_size,
    s.cluster_kind,
    s.cluster_key,
    coalesce(s.canonical_name, e.name) AS canonical_name,
    coalesce(s.is_canonical, true) AS is_canonical,
    s.owns_repository,
    CASE WHEN len(t.hosts) > 0 THEN len(list_filter(t.hosts, lambda h: ends_with(
        '.' || h, '.' || array_to_string(list_reverse(string_split(lower(split_part(e.name, '/', 1)), '.')), '.')
    ))) = len(t.hosts) END AS owns_remotes,
    coalesce(s.publisher_server_count, 0) AS publisher_server_count,
    coalesce(s.publisher_rank, 0) AS publisher_rank,
    coalesce(s.host_server_count, 0) AS host_server_count,
    coalesce(s.host_rank, 0) AS host_rank,
    list_concat(
        text_flags(concat_ws(' ', c.title, c.description)),
        CASE WHEN l.namespace IS NOT NULL THEN ['look_alike'] ELSE [] END
    ) AS text_flags,
    l.look_alike_of,
    -- Further columns that cooldowns and explanations need.
    -- What the first walk brought may be old: then publication counts, not our first sight.
    CASE WHEN e.first_seen = b.bootstrap THEN e.published_at ELSE e.first_seen END AS known_since,
    coalesce(p.publication_known, true) AS publication_known,
    p.newest_publication,
    p.asked_at,
    p.sources
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN advisory_columns a USING (server_hash)
LEFT JOIN package_columns p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
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
LEFT JOIN server_columns s ON s.name = e.name
LEFT JOIN name_look_alikes l ON l.namespace = split_part(e.name, '/', 1)
LEFT JOIN derived_upstreams b ON b.upstream = e.upstream
