-- A claimed package reference and what it canonicalises to; rejected ones say why.
CREATE TABLE package_refs (
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    origin VARCHAR,
    package VARCHAR,
    package_version VARCHAR,
    purl VARCHAR,
    rejected VARCHAR
)
