-- Append-only: every committed walk with its counts.
CREATE TABLE walks (
    walk_id VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    since TIMESTAMPTZ,
    asked_at TIMESTAMPTZ NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL,
    pages BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    new BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    vanished BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    watermark TIMESTAMPTZ
)
