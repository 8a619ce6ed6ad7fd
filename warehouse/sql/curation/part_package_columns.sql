-- The package columns of a part's entries.
CREATE TEMP TABLE part_package_columns AS
FROM package_columns SEMI JOIN part_entries USING (upstream, name, version)
