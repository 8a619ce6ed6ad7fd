-- The contents of a part's entries.
CREATE TEMP TABLE part_contents AS
FROM contents SEMI JOIN part_entries USING (server_hash)
