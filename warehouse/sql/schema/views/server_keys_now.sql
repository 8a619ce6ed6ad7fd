-- What standing servers may share now: each package, remote URL and repository of each server, and whether the server
-- owns it.
CREATE OR REPLACE VIEW server_keys_now AS
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
