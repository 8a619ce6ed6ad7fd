-- Servers that a derivation of everything found other than they were left: there should be none.
CREATE TEMP TABLE judged_again AS
SELECT name FROM changed_served_packages
UNION
SELECT name FROM changed_package_columns
UNION
SELECT name FROM changed_standing_servers
UNION
SELECT name FROM changed_server_keys
UNION
SELECT name FROM changed_remote_hosts
UNION
SELECT name FROM changed_package_claimants
UNION
SELECT name FROM changed_clusters
UNION
SELECT name FROM entries SEMI JOIN changed_advisory_columns USING (server_hash)
