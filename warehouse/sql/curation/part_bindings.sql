-- The bindings of a part's servers.
CREATE TEMP TABLE part_bindings AS
FROM bindings SEMI JOIN part_entries USING (name)
