-- The served packages of a part's entries.
CREATE TEMP TABLE part_served_packages AS
FROM served_packages SEMI JOIN part_entries USING (name)
