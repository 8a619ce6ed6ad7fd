-- When each package version was last asked for.
CREATE TABLE advisory_checks (
    purl VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL
)
