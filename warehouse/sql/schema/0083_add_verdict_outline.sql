-- Which outline of a policy (policies) the tests are of.
ALTER TABLE verdicts ADD COLUMN outline_hash VARCHAR
