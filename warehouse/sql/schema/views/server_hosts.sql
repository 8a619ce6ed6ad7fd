-- The hosts of each server's remotes, and the server's place among all servers of that host.
CREATE OR REPLACE VIEW server_hosts AS
SELECT
    name, host, count(*) OVER (PARTITION BY host) AS servers,
    row_number() OVER (PARTITION BY host ORDER BY born, name) AS place
FROM (
    SELECT DISTINCT
        s.name, s.born, regexp_extract(lower(r.url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1) AS host
    FROM standing_servers s
    JOIN remotes r USING (server_hash)
)
WHERE host <> ''
