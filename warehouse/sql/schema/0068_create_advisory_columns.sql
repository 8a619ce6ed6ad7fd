-- The same as of the last curation.
CREATE TABLE advisory_columns AS FROM advisory_columns_now LIMIT 0
