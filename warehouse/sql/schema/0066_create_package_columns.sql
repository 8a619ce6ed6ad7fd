-- The same as of the last curation, kept so that rules need not work it out again.
CREATE TABLE package_columns AS FROM package_columns_now LIMIT 0
