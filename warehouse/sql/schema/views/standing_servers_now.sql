-- Every server that stands upstream, by its latest version (the newest, if upstream marks none or several as latest):
-- publisher, first publication, repository, and whether its account owns the repository.
CREATE OR REPLACE VIEW standing_servers_now AS
SELECT
    e.upstream, e.name, e.version, e.server_hash, publisher_of(e.name) AS publisher,
    split_part(e.name, '/', 1) AS namespace, b.born,
    repository_of(c.repository_url) AS repository,
    c.repository_subfolder AS subfolder,
    CASE
        WHEN regexp_matches(lower(e.name), '^io\.(github|gitlab)\.')
            AND repository_of(c.repository_url) IS NOT NULL
        THEN starts_with(
            repository_of(c.repository_url),
            regexp_replace(lower(split_part(e.name, '/', 1)), '^io\.(github|gitlab)\.', '\1.com/') || '/'
        )
    END AS owns_repository
FROM entries e
SEMI JOIN current_bindings s ON s.name = e.name AND s.upstream = e.upstream
JOIN (SELECT upstream, name, min(published_at) AS born FROM entries GROUP BY upstream, name) b
    ON b.upstream = e.upstream AND b.name = e.name
LEFT JOIN contents c USING (server_hash)
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL
QUALIFY row_number() OVER (
    PARTITION BY e.upstream, e.name ORDER BY e.is_latest DESC, e.published_at DESC, e.version DESC
) = 1
