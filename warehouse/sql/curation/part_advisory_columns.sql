-- The advisory columns of a part's entries.
CREATE TEMP TABLE part_advisory_columns AS
FROM advisory_columns SEMI JOIN part_entries USING (server_hash)
