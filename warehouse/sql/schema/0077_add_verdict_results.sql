-- One sign per rule, in order: t, f or ? for unknown.
ALTER TABLE verdicts ADD COLUMN results VARCHAR
