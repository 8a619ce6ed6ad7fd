-- Append-only: every policy that a feed was curated by, from when on, with its rules as JSON; blocks and
-- overlays that stand are among them.
CREATE TABLE policies (
    feed VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL,
    outline_hash VARCHAR NOT NULL,
    outline VARCHAR NOT NULL,
    since TIMESTAMPTZ NOT NULL
)
