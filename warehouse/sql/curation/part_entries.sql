-- The entries of a part; all other copies of a part start from them.
CREATE TEMP TABLE part_entries AS
FROM entries WHERE hash(name) % $parts = $part
