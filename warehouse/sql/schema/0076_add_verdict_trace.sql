-- What every test came to (t, f or ?), the values that it saw, and until when a cooldown holds an entry.
ALTER TABLE verdicts ADD COLUMN held_until TIMESTAMPTZ
