-- One row per upstream: where the next pull starts, how many commits there were, and what the last
-- full walk saw.
CREATE TABLE state (
    upstream VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    watermark TIMESTAMPTZ,
    generation INTEGER NOT NULL,
    commits BIGINT NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL,
    full_walk_at TIMESTAMPTZ,
    full_walk_entries BIGINT
)
