-- Upstream records that could not be read, with their bytes and the reason.
CREATE TABLE quarantine (
    upstream VARCHAR NOT NULL,
    raw_hash VARCHAR NOT NULL,
    name VARCHAR,
    version VARCHAR,
    reason VARCHAR NOT NULL,
    raw BLOB NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    released_at TIMESTAMPTZ
)
