-- The entries of a part.
CREATE TEMP TABLE part_entries AS
FROM entries WHERE hash(name) % $parts = $part
