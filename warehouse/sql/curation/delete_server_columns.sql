DELETE FROM server_columns
