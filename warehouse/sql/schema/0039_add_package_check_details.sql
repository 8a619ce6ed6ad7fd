-- The source and the form of the document that the validators belong to, what is still owed, why it
-- failed; for each of `missing` since when, and in how many answers.
ALTER TABLE package_checks ADD COLUMN source VARCHAR;
ALTER TABLE package_checks ADD COLUMN variant VARCHAR;
ALTER TABLE package_checks ADD COLUMN missing_since TIMESTAMPTZ[];
ALTER TABLE package_checks ADD COLUMN missing_counts INTEGER[];
ALTER TABLE package_checks ADD COLUMN owed INTEGER;
ALTER TABLE package_checks ADD COLUMN detail VARCHAR
