-- All servers with a key that changed.
CREATE TEMP TABLE part_server_keys AS
FROM server_keys SEMI JOIN changed_server_keys USING (kind, key)
