-- Servers that share a package, a remote URL or a repository, and the one that stands for them: the owner
-- first (by marker, account or domain), then the oldest, then the most fetched.
CREATE VIEW clusters AS
SELECT
    kind, key, name, owned, born, count(*) OVER (PARTITION BY kind, key) AS size,
    row_number() OVER best AS place, first_value(name) OVER best AS canonical_name
FROM (
    SELECT
        'package' AS kind, coalesce(p.origin || ':' || p.package, p.registry_type || ':' || p.identifier) AS key,
        s.name, any_value(s.born) AS born, bool_or(p.ownership = 'verified') AS owned,
        max(d.downloads) AS downloads
    FROM standing_servers s
    JOIN entry_packages p ON p.upstream = s.upstream AND p.name = s.name AND p.version = s.version
    LEFT JOIN current_popularity d ON d.origin = p.origin AND d.package = p.package
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
    PARTITION BY kind, key ORDER BY owned DESC, born, downloads DESC NULLS LAST, name
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
QUALIFY size > 1
