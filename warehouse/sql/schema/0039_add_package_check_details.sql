-- The form of the document that the validators belong to, what is still owed, why it failed.
ALTER TABLE package_checks ADD COLUMN variant VARCHAR;
ALTER TABLE package_checks ADD COLUMN owed INTEGER;
ALTER TABLE package_checks ADD COLUMN detail VARCHAR
