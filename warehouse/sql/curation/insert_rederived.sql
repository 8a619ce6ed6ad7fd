-- What feeds must judge again: servers that changed, and servers whose place among others did, with the columns that
-- are different.
INSERT INTO rederived
SELECT $number, name, NULL FROM judged_again
UNION ALL
SELECT
    $number, name,
    list_filter([
        CASE WHEN n.owns_repository IS DISTINCT FROM o.owns_repository THEN 'owns_repository' END,
        CASE WHEN n.cluster_size IS DISTINCT FROM o.cluster_size THEN 'cluster_size' END,
        CASE WHEN n.cluster_kind IS DISTINCT FROM o.cluster_kind THEN 'cluster_kind' END,
        CASE WHEN n.cluster_key IS DISTINCT FROM o.cluster_key THEN 'cluster_key' END,
        CASE WHEN n.canonical_name IS DISTINCT FROM o.canonical_name THEN 'canonical_name' END,
        CASE WHEN n.is_canonical IS DISTINCT FROM o.is_canonical THEN 'is_canonical' END,
        CASE WHEN n.publisher_server_count IS DISTINCT FROM o.publisher_server_count
            THEN 'publisher_server_count' END,
        CASE WHEN n.publisher_rank IS DISTINCT FROM o.publisher_rank THEN 'publisher_rank' END,
        CASE WHEN n.host_server_count IS DISTINCT FROM o.host_server_count THEN 'host_server_count' END,
        CASE WHEN n.host_rank IS DISTINCT FROM o.host_rank THEN 'host_rank' END
    ], lambda c: c IS NOT NULL)
FROM (FROM next_server_columns SEMI JOIN changed_server_columns USING (name)) n
FULL JOIN (FROM server_columns SEMI JOIN changed_server_columns USING (name)) o USING (name)
ANTI JOIN judged_again USING (name)
