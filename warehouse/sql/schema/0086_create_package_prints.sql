-- Per entry a hash of what is served of its packages, as of the last curation.
CREATE TABLE package_prints (
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    print UBIGINT NOT NULL
)
