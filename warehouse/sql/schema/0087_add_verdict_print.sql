-- A hash of all that decides how a feed shows the entry.
ALTER TABLE verdicts ADD COLUMN print UBIGINT
