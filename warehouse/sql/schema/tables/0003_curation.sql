-- Per entry, what its packages amount to, as of the last curation (view package_columns_now).
CREATE TABLE package_columns (
    upstream VARCHAR,
    name VARCHAR,
    version VARCHAR,
    registry_types VARCHAR[],
    absent_package_count BIGINT,
    unknown_package_count BIGINT,
    stale_package_count BIGINT,
    deprecated_package_count BIGINT,
    yanked_package_count BIGINT,
    install_script_package_count BIGINT,
    provenance_package_count BIGINT,
    licenses VARCHAR[],
    license_statuses VARCHAR[],
    package_identifiers VARCHAR[],
    npm_scopes VARCHAR[],
    image_hosts VARCHAR[],
    image_owners VARCHAR[],
    ownerships VARCHAR[],
    availabilities VARCHAR[],
    signals VARCHAR[],
    provenance_repositories VARCHAR[],
    repository_matches BOOLEAN,
    versions_behind INTEGER,
    days_behind BIGINT,
    package_first_published_at TIMESTAMPTZ,
    newest_publication TIMESTAMPTZ,
    package_published_at TIMESTAMPTZ,
    publication_known BOOLEAN,
    digest_moved_at TIMESTAMPTZ,
    owners_changed_at TIMESTAMPTZ,
    claimant_count BIGINT,
    downloads BIGINT,
    asked_at TIMESTAMPTZ,
    sources VARCHAR[]
);

-- Per content, what the advisories of its packages amount to, as of the last curation.
CREATE TABLE advisory_columns (
    server_hash VARCHAR,
    advisories VARCHAR[],
    severities VARCHAR[],
    is_malicious BOOLEAN
);

-- Which servers claim each package, and whether with an entry that stands upstream, as of the last curation.
CREATE TABLE package_claimants (
    origin VARCHAR,
    package VARCHAR,
    name VARCHAR,
    stands BOOLEAN
);

-- Every server that stands upstream, as of the last curation (view standing_servers_now).
CREATE TABLE standing_servers (
    upstream VARCHAR,
    name VARCHAR,
    version VARCHAR,
    server_hash VARCHAR,
    publisher VARCHAR,
    namespace VARCHAR,
    born TIMESTAMPTZ,
    repository VARCHAR,
    subfolder VARCHAR,
    owns_repository BOOLEAN
);

-- What standing servers may share: each package, remote URL and repository of each server, as of the last curation.
CREATE TABLE server_keys (
    kind VARCHAR,
    key VARCHAR,
    name VARCHAR,
    born TIMESTAMPTZ,
    owned BOOLEAN,
    downloads BIGINT
);

-- The hosts of each standing server's remotes, as of the last curation.
CREATE TABLE remote_hosts (
    name VARCHAR,
    host VARCHAR,
    born TIMESTAMPTZ
);

-- Servers that share a package, a remote URL or a repository, as of the last curation; the server with `place` 1
-- stands for the others.
CREATE TABLE clusters (
    kind VARCHAR,
    key VARCHAR,
    name VARCHAR,
    owned BOOLEAN,
    born TIMESTAMPTZ,
    size BIGINT,
    place BIGINT,
    canonical_name VARCHAR
);

-- Per standing server, its place among all others, as of the last curation.
CREATE TABLE server_columns (
    name VARCHAR,
    owns_repository BOOLEAN,
    cluster_size BIGINT,
    cluster_kind VARCHAR,
    cluster_key VARCHAR,
    canonical_name VARCHAR,
    is_canonical BOOLEAN,
    publisher_server_count BIGINT,
    publisher_rank BIGINT,
    host_server_count BIGINT,
    host_rank BIGINT
);

-- The package data that is served with each entry, as of the last curation, and its hash.
CREATE TABLE served_packages (
    upstream VARCHAR,
    name VARCHAR,
    version VARCHAR,
    ordinal INTEGER,
    registry_type VARCHAR,
    identifier VARCHAR,
    claimed_version VARCHAR,
    purl VARCHAR,
    rejected VARCHAR,
    package_state VARCHAR,
    package_outcome VARCHAR,
    version_state VARCHAR,
    version_outcome VARCHAR,
    absent BOOLEAN,
    latest_version VARCHAR,
    version_published_at TIMESTAMPTZ,
    deprecated VARCHAR,
    yanked BOOLEAN,
    yanked_reason VARCHAR,
    license VARCHAR,
    install_scripts BOOLEAN,
    provenance BOOLEAN,
    provenance_repository VARCHAR,
    digest VARCHAR,
    server_names VARCHAR[],
    package_repository_url VARCHAR,
    origin VARCHAR,
    observed_at TIMESTAMPTZ,
    ownership VARCHAR,
    ownership_now VARCHAR,
    availability VARCHAR,
    newer_versions INTEGER,
    days_behind BIGINT,
    resolved_version VARCHAR,
    first_published_at TIMESTAMPTZ,
    last_published_at TIMESTAMPTZ,
    digest_moved_at TIMESTAMPTZ,
    owners_changed_at TIMESTAMPTZ,
    recreated_at TIMESTAMPTZ,
    claimants BIGINT,
    repository_matches BOOLEAN,
    evidence_sha256 VARCHAR,
    signals VARCHAR[],
    version_observed_at TIMESTAMPTZ,
    advisories VARCHAR[],
    severities VARCHAR[],
    malicious BOOLEAN,
    fingerprint UBIGINT
);

-- Per feed, the verdict of the last curation on every entry, with rule and reason, until when a cooldown holds it,
-- and the result of each test.
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
    policy_hash VARCHAR NOT NULL,
    -- Until when a cooldown holds the entry.
    held_until TIMESTAMPTZ,
    -- The result of each rule, in order, one character each: t, f or ? for unknown.
    results VARCHAR,
    -- The result of each atom of the policy's rules, one character each: t, f or ?.
    atoms VARCHAR,
    -- JSON: the values of the columns that the rules read, their sources, and when those were asked.
    seen VARCHAR,
    -- The outline of the policy (see policies) that the results belong to.
    outline_hash VARCHAR,
    -- A hash of everything that decides how a feed shows the entry.
    fingerprint UBIGINT,
    -- The curation that last changed this hash.
    changed_at TIMESTAMPTZ,
    -- A hash of `seen`, but for ages and the instant of the last answer: those change by themselves.
    seen_fingerprint UBIGINT
);

-- Append-only: every verdict that changed: another verdict, rule, reason or unknown rule.
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
);

-- Append-only: every policy that a feed was curated by, and since when, with its rules as JSON, including current
-- blocks and overlays.
CREATE TABLE policies (
    feed VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL,
    outline_hash VARCHAR NOT NULL,
    outline VARCHAR NOT NULL,
    since TIMESTAMPTZ NOT NULL
);

-- Servers that lost a verdict in a feed, and at which curation: from then on a build must look at them.
CREATE TABLE lost_verdicts (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    lost_at TIMESTAMPTZ NOT NULL
);

-- The curations that changed verdicts of a feed: an edition made after one of them needs only what changed since.
CREATE TABLE verdict_changes (
    feed VARCHAR NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);

-- The derivation that brought the tables above up to date last, with what it was made by; one row.
CREATE TABLE derivation (
    number BIGINT NOT NULL,
    derived_at TIMESTAMPTZ NOT NULL,
    -- Versions of the software, of DuckDB and of the views: another one derives everything again.
    software VARCHAR NOT NULL,
    -- The last one that looked at every server, as full walks ask for.
    reviewed BIGINT NOT NULL,
    reviewed_at TIMESTAMPTZ NOT NULL,
    -- The last binding that it saw.
    bound_at TIMESTAMPTZ
);

-- Per upstream, what the last derivation saw: its commits, its first pull, its last full walk.
CREATE TABLE derived_upstreams (
    upstream VARCHAR NOT NULL,
    commit BIGINT NOT NULL,
    bootstrap TIMESTAMPTZ NOT NULL,
    full_walk_at TIMESTAMPTZ
);

-- Servers whose columns a derivation changed, until every feed has judged them again. `columns`: only these; NULL: any.
CREATE TABLE rederived (
    derivation BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    columns VARCHAR[]
);

-- What was learned since the last derivation: a `name`, a `package` (as origin:package) or a `purl`.
CREATE TABLE touched (
    kind VARCHAR NOT NULL,
    key VARCHAR NOT NULL
);

-- Per feed, the last curation that changed something: by which policy, up to which derivation, with how many verdicts.
CREATE TABLE curations (
    feed VARCHAR NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    policy_hash VARCHAR NOT NULL,
    outline_hash VARCHAR NOT NULL,
    -- A hash of the SQL that judges: the same document may be compiled to another.
    statement_hash VARCHAR NOT NULL,
    derivation BIGINT NOT NULL,
    -- JSON: the reason of each block.
    blocks VARCHAR NOT NULL,
    -- JSON: entries by verdict and rule.
    counts VARCHAR NOT NULL
)
