-- All servers with a host of the regrouped servers: ranks count them.
CREATE TEMP TABLE part_remote_hosts AS
FROM remote_hosts SEMI JOIN (SELECT host FROM remote_hosts SEMI JOIN regrouped USING (name)) USING (host)
