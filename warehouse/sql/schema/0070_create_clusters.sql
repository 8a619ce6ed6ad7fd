-- The same as of the last curation.
CREATE TABLE clusters AS FROM clusters_now LIMIT 0
