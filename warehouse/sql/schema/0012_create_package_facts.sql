-- Append-only: what a registry says about a package, written when it changes.
CREATE TABLE package_facts (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    source VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    latest_version VARCHAR,
    version_count INTEGER,
    first_published_at TIMESTAMPTZ,
    last_published_at TIMESTAMPTZ,
    license VARCHAR,
    license_status VARCHAR,
    repository_url VARCHAR,
    status VARCHAR
)
