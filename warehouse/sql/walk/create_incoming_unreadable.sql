CREATE OR REPLACE TEMP TABLE incoming_unreadable (
    raw_hash VARCHAR,
    name VARCHAR,
    version VARCHAR,
    reason VARCHAR,
    raw BLOB
)
