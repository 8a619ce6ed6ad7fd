-- Append-only: JSON as upstream sent it, once per distinct content (sha256, hex).
CREATE TABLE bodies (
    hash VARCHAR NOT NULL,
    body VARCHAR NOT NULL USING COMPRESSION zstd,
    first_seen TIMESTAMPTZ NOT NULL
)
