-- The curations that changed verdicts of a feed: an edition made after one of them needs only what changed since.
CREATE TABLE verdict_changes (
    feed VARCHAR NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
)
