-- A claimed package reference and its canonical form; a rejected one has the reason.
CREATE TABLE package_refs (
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    origin VARCHAR,
    package VARCHAR,
    package_version VARCHAR,
    purl VARCHAR,
    rejected VARCHAR,
    -- The kind of the claimed version, and the rules by which the reference was read.
    version_kind VARCHAR,
    rules VARCHAR
);

-- One row per (origin, package): the last check, its validators, what was missing ('' is the package itself), in how
-- many answers and since when, and when the next check is due.
CREATE TABLE package_checks (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL,
    outcome VARCHAR NOT NULL,
    etag VARCHAR,
    last_modified VARCHAR,
    serial BIGINT,
    versions_hash VARCHAR NOT NULL,
    absent_since TIMESTAMPTZ,
    absences INTEGER NOT NULL,
    missing VARCHAR[] NOT NULL,
    failures INTEGER NOT NULL,
    stale_since TIMESTAMPTZ,
    due_at TIMESTAMPTZ NOT NULL,
    -- Source and form of the document that the validators belong to; requests still deferred; why the check failed;
    -- for each of `missing`: since when, and in how many answers.
    source VARCHAR,
    variant VARCHAR,
    missing_since TIMESTAMPTZ[],
    missing_counts INTEGER[],
    deferred INTEGER,
    detail VARCHAR
);

-- Append-only: what a registry says about a package, written when it changes.
CREATE TABLE package_facts (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    source VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    latest_version VARCHAR,
    version_count INTEGER,
    first_published_at TIMESTAMPTZ,
    last_published_at TIMESTAMPTZ,
    license VARCHAR,
    license_status VARCHAR,
    repository_url VARCHAR,
    status VARCHAR,
    -- Drift needs the time of the latest release; a changed hash of the owners' names shows a change of owners.
    latest_published_at TIMESTAMPTZ,
    owner_count INTEGER,
    owners_hash VARCHAR
);

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
    server_names VARCHAR[],
    -- `complete`: nothing is left to ask about the version. `evidence_sha256`: hash of what the names were read from.
    yanked_reason VARCHAR,
    provenance_repository VARCHAR,
    newer_versions INTEGER,
    resolved_version VARCHAR,
    complete BOOLEAN,
    evidence_sha256 VARCHAR
);

-- What earlier runs learned about each package registry's host: which share of its limits it bears, consecutive
-- failures, until when and why it is paused, and the requests of one UTC day.
CREATE TABLE hosts (
    origin VARCHAR NOT NULL,
    load_factor DOUBLE NOT NULL,
    failures INTEGER NOT NULL,
    closed_until TIMESTAMPTZ,
    reason VARCHAR NOT NULL,
    day VARCHAR NOT NULL,
    requests INTEGER NOT NULL
);

-- Append-only: downloads of a package, as its source counts them: one week for npm and PyPI, all pulls for Docker
-- Hub.
CREATE TABLE popularity (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    downloads BIGINT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
);

-- Append-only: the advisories that name a package version, written when they change; an empty list means none.
CREATE TABLE purl_advisories (
    purl VARCHAR NOT NULL,
    ids VARCHAR[] NOT NULL,
    source VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
);

-- When the advisories of each package version were last asked for.
CREATE TABLE advisory_checks (
    purl VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL
);

-- Append-only: the content of an advisory, written at each modification; severity is LOW to CRITICAL, or NULL.
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
