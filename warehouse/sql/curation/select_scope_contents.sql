-- The contents of the entries of the servers in `scope`.
CREATE TEMP TABLE scope_contents AS
SELECT DISTINCT server_hash FROM entries SEMI JOIN scope USING (name)
