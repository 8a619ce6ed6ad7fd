-- Per standing server, its place among all others now: the warehouse part of policy_columns.
CREATE OR REPLACE VIEW server_columns_now AS
SELECT
    s.name, s.owns_repository, k.cluster_size, k.cluster_kind, k.cluster_key, k.canonical_name, k.is_canonical,
    count(*) OVER (PARTITION BY s.publisher) AS publisher_server_count,
    row_number() OVER (PARTITION BY s.publisher ORDER BY s.born, s.name) AS publisher_rank,
    h.host_server_count, h.host_rank
FROM standing_servers s
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
) k USING (name)
LEFT JOIN (
    SELECT name, max(servers) AS host_server_count, max(place) AS host_rank
    FROM server_hosts
    GROUP BY name
) h USING (name)
