-- JSON: the values of the columns that the rules read, where they are from and when that was asked.
ALTER TABLE verdicts ADD COLUMN seen VARCHAR
