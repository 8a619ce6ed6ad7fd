-- The packages that a part's entries claim.
CREATE TEMP TABLE part_packages AS
FROM packages SEMI JOIN part_entries USING (server_hash)
