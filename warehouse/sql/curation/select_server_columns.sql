CREATE TEMP TABLE next_server_columns AS
FROM server_columns_now SEMI JOIN regrouped USING (name)
