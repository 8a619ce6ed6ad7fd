-- Names whose versions could not be read again; the next pull tries once more.
CREATE TABLE unsettled_names (upstream VARCHAR NOT NULL, name VARCHAR NOT NULL)
