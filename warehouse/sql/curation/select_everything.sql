-- Every server.
CREATE TEMP TABLE scope AS
SELECT DISTINCT name FROM entries
