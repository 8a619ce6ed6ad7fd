-- The entries of a part of the servers in `scope`; all other copies of a part start from them.
CREATE TEMP TABLE part_entries AS
FROM entries SEMI JOIN (FROM scope WHERE hash(name) % $parts = $part) USING (name)
