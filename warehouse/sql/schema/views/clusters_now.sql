-- Servers that share a package, a remote URL or a repository, and the server that stands for them: the owner first
-- (by marker, account or domain), then the oldest, then the most fetched.
CREATE OR REPLACE VIEW clusters_now AS
SELECT
    kind, key, name, owned, born, count(*) OVER (PARTITION BY kind, key) AS size,
    row_number() OVER best AS place, first_value(name) OVER best AS canonical_name
FROM server_keys
WINDOW best AS (
    PARTITION BY kind, key ORDER BY coalesce(owned, false) DESC, born, downloads DESC NULLS LAST, name
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
QUALIFY size > 1
