-- The remotes of a part's entries.
CREATE TEMP TABLE part_remotes AS
FROM remotes SEMI JOIN part_entries USING (server_hash)
