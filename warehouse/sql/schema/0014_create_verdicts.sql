-- Per feed, the verdict of the last curation on every entry, with rule and reason.
CREATE TABLE verdicts (
    feed VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    unknown VARCHAR[] NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    policy_hash VARCHAR NOT NULL
)
