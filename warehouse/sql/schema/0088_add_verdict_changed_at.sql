-- The curation at which that hash became what it is.
ALTER TABLE verdicts ADD COLUMN changed_at TIMESTAMPTZ
