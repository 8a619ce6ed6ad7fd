-- Append-only: the advisories that name a package version, each time they became others; none is an empty list.
CREATE TABLE purl_advisories (
    purl VARCHAR NOT NULL,
    ids VARCHAR[] NOT NULL,
    source VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
)
