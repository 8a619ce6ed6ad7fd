-- In how many full walks running the detail route showed an entry that the list did not.
ALTER TABLE entries ADD COLUMN hidden INTEGER DEFAULT 0
