-- Servers that share a package, a remote URL or a repository, and the server that stands for them: the owner first
-- (by marker, account or domain), then the oldest, then the most fetched.
CREATE OR REPLACE VIEW clusters_now AS
SELECT
    kind, key, name, owned, born, count(*) OVER (PARTITION BY kind, key) AS size,
    row_number() OVER best AS place, first_value(name) OVER best AS canonical_name
FROM (
    SELECT
        'package' AS kind, coalesce(r.origin || ':' || r.package, p.registry_type || ':' || p.identifier) AS key,
        s.name, any_value(s.born) AS born, any_value(list_contains(c.ownerships, 'verified')) AS owned,
        any_value(c.downloads) AS downloads
    FROM standing_servers s
    JOIN packages p USING (server_hash)
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN package_columns c ON c.upstream = s.upstream AND c.name = s.name AND c.version = s.version
    GROUP BY ALL
    UNION ALL
    SELECT
        'remote', rtrim(regexp_replace(lower(r.url), '^[a-z]+://', ''), '/'), s.name, any_value(s.born),
        bool_or(ends_with(
            '.' || regexp_extract(lower(r.url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1),
            '.' || array_to_string(list_reverse(string_split(lower(s.namespace), '.')), '.')
        )),
        NULL
    FROM standing_servers s
    JOIN remotes r USING (server_hash)
    GROUP BY ALL
    UNION ALL
    SELECT
        'repository', s.repository || coalesce('#' || nullif(s.subfolder, ''), ''), s.name, s.born,
        coalesce(s.owns_repository, false), NULL
    FROM standing_servers s
    WHERE s.repository IS NOT NULL
)
WINDOW best AS (
    PARTITION BY kind, key ORDER BY coalesce(owned, false) DESC, born, downloads DESC NULLS LAST, name
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
QUALIFY size > 1
