-- The hosts of each standing server's remotes now.
CREATE OR REPLACE VIEW remote_hosts_now AS
SELECT DISTINCT name, host, born
FROM (
    SELECT
        s.name, regexp_extract(lower(r.url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1) AS host, s.born
    FROM standing_servers s
    JOIN remotes r USING (server_hash)
)
WHERE host <> ''
