-- What we know now: one row per (upstream, name, version). Times of upstream and ours side by side;
-- commit is the number of the commit that last changed the row.
CREATE TABLE entries (
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    server_hash VARCHAR NOT NULL,
    meta_hash VARCHAR NOT NULL,
    raw_hash VARCHAR,
    status VARCHAR NOT NULL,
    status_message VARCHAR,
    is_latest BOOLEAN NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    status_changed_at TIMESTAMPTZ,
    commit BIGINT NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    missing_since TIMESTAMPTZ,
    vanished_at TIMESTAMPTZ
)
