CREATE OR REPLACE TEMP TABLE incoming (
    name VARCHAR,
    version VARCHAR,
    server_hash VARCHAR,
    meta_hash VARCHAR,
    raw_hash VARCHAR,
    status VARCHAR,
    status_message VARCHAR,
    is_latest BOOLEAN,
    published_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    status_changed_at TIMESTAMPTZ,
    ordinal BIGINT,
    after_commit BIGINT,
    stale BOOLEAN,
    authoritative BOOLEAN,
    direct BOOLEAN
)
