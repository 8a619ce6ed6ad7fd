-- The server columns of a part's servers.
CREATE TEMP TABLE part_server_columns AS
FROM server_columns SEMI JOIN part_entries USING (name)
