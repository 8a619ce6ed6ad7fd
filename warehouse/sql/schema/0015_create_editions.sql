-- Append-only: every edition that went live, with the counts of its manifest.
CREATE TABLE editions (
    feed VARCHAR NOT NULL,
    edition VARCHAR NOT NULL,
    sequence BIGINT NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    entries BIGINT NOT NULL,
    tombstones BIGINT NOT NULL,
    withheld BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL
)
