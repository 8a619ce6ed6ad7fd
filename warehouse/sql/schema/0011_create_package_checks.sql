-- One row per (origin, package): the last check, its validators, what was missing ('' stands for the
-- package itself) in how many answers since when, and when the next check is due.
CREATE TABLE package_checks (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL,
    outcome VARCHAR NOT NULL,
    etag VARCHAR,
    last_modified VARCHAR,
    serial BIGINT,
    versions_hash VARCHAR NOT NULL,
    absent_since TIMESTAMPTZ,
    absences INTEGER NOT NULL,
    missing VARCHAR[] NOT NULL,
    failures INTEGER NOT NULL,
    stale_since TIMESTAMPTZ,
    due_at TIMESTAMPTZ NOT NULL
)
