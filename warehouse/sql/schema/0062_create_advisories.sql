-- Append-only: what an advisory says, each time it was modified; severity is LOW to CRITICAL, or NULL.
CREATE TABLE advisories (
    id VARCHAR NOT NULL,
    modified VARCHAR NOT NULL,
    severity VARCHAR,
    malicious BOOLEAN NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    summary VARCHAR,
    aliases VARCHAR[] NOT NULL,
    source VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
)
