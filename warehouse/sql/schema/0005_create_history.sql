-- Append-only: every state an entry was seen in, from the instant we knew it.
CREATE TABLE history (
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
    vanished_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ NOT NULL,
    walk_id VARCHAR NOT NULL
)
