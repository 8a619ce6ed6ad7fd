-- Append-only: what a registry says about one version of a package, written when it changes.
CREATE TABLE version_facts (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    source VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    published_at TIMESTAMPTZ,
    yanked BOOLEAN,
    deprecated VARCHAR,
    license VARCHAR,
    install_scripts BOOLEAN,
    provenance BOOLEAN,
    digest VARCHAR,
    server_names VARCHAR[]
)
