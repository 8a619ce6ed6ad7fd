-- Per feed, what the last build did to an entry beyond copying it: repairs, and withholdings.
CREATE TABLE treatments (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
)
