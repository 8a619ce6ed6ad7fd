-- Servers whose place among others may have changed.
CREATE TEMP TABLE regrouped AS
SELECT name FROM changed_standing_servers
UNION
SELECT name FROM changed_clusters
UNION
SELECT name FROM standing_servers WHERE publisher IN (SELECT publisher_of(name) FROM changed_births)
UNION
SELECT name FROM remote_hosts SEMI JOIN changed_remote_hosts USING (host)
