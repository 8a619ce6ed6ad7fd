-- The same as of the last curation.
CREATE TABLE server_columns AS FROM server_columns_now LIMIT 0
