-- Append-only: every verdict that is not what it was: another verdict, rule, reason or unknown rule.
CREATE TABLE verdict_history (
    feed VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    unknown VARCHAR[] NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    policy_hash VARCHAR NOT NULL,
    held_until TIMESTAMPTZ,
    results VARCHAR,
    atoms VARCHAR,
    seen VARCHAR,
    outline_hash VARCHAR
)
