-- The hosts that servers have remotes at, and the place of each server among those of a host.
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
