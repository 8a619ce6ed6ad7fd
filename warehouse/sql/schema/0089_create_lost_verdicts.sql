-- Servers of which a feed lost a verdict: since that curation they need to be looked at.
CREATE TABLE lost_verdicts (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    lost_at TIMESTAMPTZ NOT NULL
)
