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
);

-- Per feed, what the last build repaired, overlaid or withheld.
CREATE TABLE treatments (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
);

-- Append-only: every entry that a feed ever showed, with its first edition, so that a rebuilt feed can say what is
-- gone.
CREATE TABLE published_entries (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    edition VARCHAR NOT NULL
)
