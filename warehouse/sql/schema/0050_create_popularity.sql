-- Append-only: how often a package was fetched, by whom counts it; weeks for npm and PyPI, all for Docker
-- Hub.
CREATE TABLE popularity (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    downloads BIGINT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
)
