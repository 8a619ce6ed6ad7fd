-- The same of a part's entries.
CREATE TEMP TABLE part_packages AS
FROM packages SEMI JOIN part_entries USING (server_hash)
