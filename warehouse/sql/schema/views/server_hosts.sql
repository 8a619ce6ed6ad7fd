-- The hosts of each server's remotes, and the server's place among all servers of that host, as of the last curation.
CREATE OR REPLACE VIEW server_hosts AS
SELECT
    name, host, count(*) OVER (PARTITION BY host) AS servers,
    row_number() OVER (PARTITION BY host ORDER BY born, name) AS place
FROM remote_hosts
