-- The schema as its 90 numbered files made it, kept as they were: warehouses made by them are
-- handed over (warehouse/database/schema.py). It goes when that does, with the first release.

-- One row per upstream: where the next pull starts, how many commits there were, and what the last
-- full walk saw.
CREATE TABLE state (
    upstream VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    watermark TIMESTAMPTZ,
    generation INTEGER NOT NULL,
    commits BIGINT NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL,
    full_walk_at TIMESTAMPTZ,
    full_walk_entries BIGINT
);
-- Append-only: every committed walk with its counts.
CREATE TABLE walks (
    walk_id VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    since TIMESTAMPTZ,
    asked_at TIMESTAMPTZ NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL,
    pages BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    new BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    vanished BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    watermark TIMESTAMPTZ
);
-- Append-only: JSON as upstream sent it, once per distinct content (sha256, hex).
CREATE TABLE bodies (
    hash VARCHAR NOT NULL,
    body VARCHAR NOT NULL USING COMPRESSION zstd,
    first_seen TIMESTAMPTZ NOT NULL
);
-- What we know now: one row per (upstream, name, version). Times of upstream and ours side by side;
-- commit is the number of the commit that last changed the row.
CREATE TABLE entries (
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    server_hash VARCHAR NOT NULL,
    meta_hash VARCHAR NOT NULL,
    raw_hash VARCHAR,
    status VARCHAR NOT NULL,
    status_message VARCHAR,
    is_latest BOOLEAN NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    status_changed_at TIMESTAMPTZ,
    commit BIGINT NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    missing_since TIMESTAMPTZ,
    vanished_at TIMESTAMPTZ
);
-- Append-only: every state an entry was seen in, from the instant we knew it.
CREATE TABLE history (
    upstream VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    server_hash VARCHAR NOT NULL,
    meta_hash VARCHAR NOT NULL,
    raw_hash VARCHAR,
    status VARCHAR NOT NULL,
    status_message VARCHAR,
    is_latest BOOLEAN NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    status_changed_at TIMESTAMPTZ,
    vanished_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ NOT NULL,
    walk_id VARCHAR NOT NULL
);
-- Columns derived from a server.json, once per distinct content.
CREATE TABLE contents (
    server_hash VARCHAR NOT NULL,
    readable BOOLEAN NOT NULL,
    schema_uri VARCHAR,
    title VARCHAR,
    description VARCHAR,
    website_url VARCHAR,
    repository_url VARCHAR,
    repository_source VARCHAR,
    repository_subfolder VARCHAR,
    package_count INTEGER NOT NULL,
    remote_count INTEGER NOT NULL
);
-- The packages a server.json claims, in its order.
CREATE TABLE packages (
    server_hash VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    file_sha256 VARCHAR
);
-- The remotes a server.json offers, in its order.
CREATE TABLE remotes (
    server_hash VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    type VARCHAR NOT NULL,
    url VARCHAR NOT NULL
);
-- Upstream records that could not be read, with their bytes and the reason.
CREATE TABLE quarantine (
    upstream VARCHAR NOT NULL,
    raw_hash VARCHAR NOT NULL,
    name VARCHAR,
    version VARCHAR,
    reason VARCHAR NOT NULL,
    raw BLOB NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    released_at TIMESTAMPTZ
);
-- A claimed package reference and what it canonicalises to; rejected ones say why.
CREATE TABLE package_refs (
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    origin VARCHAR,
    package VARCHAR,
    package_version VARCHAR,
    purl VARCHAR,
    rejected VARCHAR
);
-- One row per (origin, package): the last check, its validators, what was missing ('' stands for the
-- package itself) in how many answers since when, and when the next check is due.
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
    due_at TIMESTAMPTZ NOT NULL
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
    status VARCHAR
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
    server_names VARCHAR[]
);
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
);
-- Append-only: every edition that went live, with the counts of its manifest.
CREATE TABLE editions (
    feed VARCHAR NOT NULL,
    edition VARCHAR NOT NULL,
    sequence BIGINT NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    entries BIGINT NOT NULL,
    tombstones BIGINT NOT NULL,
    withheld BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL
);
-- Per feed, what the last build did to an entry beyond copying it: repairs, and withholdings.
CREATE TABLE treatments (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
);
-- The newest fact of every package.
CREATE VIEW current_package_facts AS
SELECT * FROM package_facts
QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1;
-- The newest fact of every package version.
CREATE VIEW current_version_facts AS
SELECT * FROM version_facts
QUALIFY row_number() OVER (PARTITION BY origin, package, version ORDER BY observed_at DESC) = 1;
-- Every package of every known entry with what its registry says now.
CREATE VIEW entry_packages AS
SELECT
    e.upstream, e.name, e.version, p.ordinal, p.registry_type, p.identifier,
    p.version AS claimed_version, r.purl, r.origin, r.package, r.package_version, r.rejected,
    f.state AS package_state, f.outcome AS package_outcome, f.latest_version, f.version_count,
    f.first_published_at, f.last_published_at, f.license, f.license_status,
    f.repository_url AS package_repository_url, f.status AS package_status,
    f.source, f.observed_at,
    v.state AS version_state, v.outcome AS version_outcome, v.published_at AS version_published_at,
    v.yanked, v.deprecated, v.install_scripts, v.provenance, v.digest, v.server_names,
    c.checked_at, c.stale_since,
    CASE
        WHEN r.rejected IS NOT NULL OR r.origin IS NULL THEN NULL
        WHEN f.state = 'known' AND f.outcome IN ('package_absent', 'unpublished', 'gone') THEN true
        WHEN v.state = 'known' AND v.outcome = 'version_absent' THEN true
        WHEN v.state = 'known' AND v.outcome = 'ok' THEN false
        WHEN r.package_version = '' AND f.state = 'known' AND f.outcome = 'ok' THEN false
    END AS absent
FROM entries e
JOIN packages p USING (server_hash)
LEFT JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
LEFT JOIN current_package_facts f ON f.origin = r.origin AND f.package = r.package
LEFT JOIN current_version_facts v
    ON v.origin = r.origin AND v.package = r.package AND v.version = r.package_version
LEFT JOIN package_checks c ON c.origin = r.origin AND c.package = r.package;
-- History as intervals of our knowledge: valid_to is NULL for what holds now.
CREATE VIEW history_intervals AS
SELECT
    *,
    lead(valid_from) OVER (PARTITION BY upstream, name, version ORDER BY valid_from) AS valid_to
FROM history;
-- entries_as_of(T): every entry as we knew it at T, with the columns of its server.json.
CREATE MACRO entries_as_of(t) AS TABLE
SELECT h.* EXCLUDE (walk_id), c.* EXCLUDE (server_hash)
FROM (
    SELECT * FROM history
    WHERE valid_from <= t::TIMESTAMPTZ
    QUALIFY row_number() OVER (PARTITION BY upstream, name, version ORDER BY valid_from DESC) = 1
) h
LEFT JOIN contents c USING (server_hash);
-- Every entry that stands upstream now, with the columns of its server.json.
CREATE VIEW current_entries AS
SELECT e.*, c.* EXCLUDE (server_hash)
FROM entries e
LEFT JOIN contents c USING (server_hash)
WHERE e.vanished_at IS NULL;
-- package_facts_as_of(T): the facts of every package as we knew them at T.
CREATE MACRO package_facts_as_of(t) AS TABLE
SELECT * FROM package_facts
WHERE observed_at <= t::TIMESTAMPTZ
QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1;
-- version_facts_as_of(T): the facts of every package version as we knew them at T.
CREATE MACRO version_facts_as_of(t) AS TABLE
SELECT * FROM version_facts
WHERE observed_at <= t::TIMESTAMPTZ
QUALIFY row_number() OVER (PARTITION BY origin, package, version ORDER BY observed_at DESC) = 1;
-- One row per known entry with every column that a rule may use.
CREATE VIEW policy_columns AS
SELECT
    e.upstream,
    e.name,
    e.version,
    split_part(e.name, '/', 1) AS namespace,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    e.is_latest,
    e.published_at,
    e.updated_at,
    e.first_seen,
    c.title,
    c.description,
    c.website_url,
    c.repository_url,
    c.repository_source,
    coalesce(c.package_count, 0) AS package_count,
    coalesce(c.remote_count, 0) AS remote_count,
    coalesce(p.registry_types, []) AS registry_types,
    coalesce(t.transports, []) AS transports,
    coalesce(p.absent_package_count, 0) AS absent_package_count,
    coalesce(p.unknown_package_count, 0) AS unknown_package_count,
    p.deprecated_package_count,
    p.yanked_package_count,
    coalesce(p.licenses, []) AS licenses
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    SELECT
        upstream, name, version,
        list_sort(list_distinct(list(registry_type))) AS registry_types,
        count(*) FILTER (absent) AS absent_package_count,
        count(*) FILTER (absent IS NULL) AS unknown_package_count,
        count(*) FILTER (deprecated IS NOT NULL) AS deprecated_package_count,
        count(*) FILTER (yanked) AS yanked_package_count,
        list_sort(list_distinct(list(license) FILTER (license IS NOT NULL))) AS licenses
    FROM entry_packages
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT server_hash, list_sort(list_distinct(list(type))) AS transports
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash);
-- How often a record was asked for again by its detail route.
ALTER TABLE quarantine ADD COLUMN attempts INTEGER DEFAULT 0;
-- When it is asked for again; every reconcile meets it anyway.
ALTER TABLE quarantine ADD COLUMN retry_at TIMESTAMPTZ;
-- read: the same key was read well; replaced: by another unreadable record; gone: not upstream now.
ALTER TABLE quarantine ADD COLUMN released_because VARCHAR;
-- Append-only: which upstream a name belongs to, from when on; NULL releases it.
CREATE TABLE bindings (
    name VARCHAR NOT NULL,
    upstream VARCHAR,
    bound_at TIMESTAMPTZ NOT NULL
);
INSERT INTO bindings SELECT name, upstream, min(first_seen) FROM entries GROUP BY name, upstream;
-- The upstream that every name belongs to now; a released name has none.
CREATE VIEW current_bindings AS
SELECT name, upstream, bound_at
FROM (
    SELECT * FROM bindings
    QUALIFY row_number() OVER (PARTITION BY name ORDER BY bound_at DESC) = 1
)
WHERE upstream IS NOT NULL;
-- Every entry that stands upstream now, with the columns of its server.json; of several upstreams
-- the one that the name belongs to.
CREATE OR REPLACE VIEW current_entries AS
SELECT e.*, c.* EXCLUDE (server_hash)
FROM entries e
SEMI JOIN current_bindings b ON b.name = e.name AND b.upstream = e.upstream
LEFT JOIN contents c USING (server_hash)
WHERE e.vanished_at IS NULL;
-- changes_since(T): what became different after T, one row per kind; hashes of server.json and _meta
-- before and after. Derived from history, so append-only like it.
CREATE MACRO changes_since(t) AS TABLE
WITH touched AS (
    SELECT DISTINCT upstream, name, version FROM history WHERE valid_from > t::TIMESTAMPTZ
),
states AS (
    SELECT
        *,
        lag(valid_from) OVER states AS before_from,
        lag(server_hash) OVER states AS server_hash_before,
        lag(meta_hash) OVER states AS meta_hash_before,
        lag(status) OVER states AS status_before,
        lag(status_message) OVER states AS status_message_before,
        lag(is_latest) OVER states AS was_latest,
        lag(vanished_at) OVER states AS vanished_before
    FROM history
    SEMI JOIN touched USING (upstream, name, version)
    WINDOW states AS (PARTITION BY upstream, name, version ORDER BY valid_from)
),
kinds AS (
    SELECT
        *,
        list_filter([
            CASE WHEN before_from IS NULL THEN 'added' END,
            CASE WHEN server_hash <> server_hash_before THEN 'content_changed' END,
            CASE
                WHEN status <> status_before
                    OR (
                        before_from IS NOT NULL
                        AND status_message IS DISTINCT FROM status_message_before
                    )
                    THEN 'status_changed'
            END,
            CASE WHEN is_latest <> was_latest THEN 'latest_moved' END,
            CASE
                WHEN vanished_at IS NOT NULL AND vanished_before IS NULL THEN 'vanished'
            END,
            CASE
                WHEN vanished_at IS NULL AND vanished_before IS NOT NULL THEN 'restored'
            END
        ], kind -> kind IS NOT NULL) AS kinds
    FROM states
    WHERE valid_from > t::TIMESTAMPTZ
)
SELECT
    valid_from AS changed_at, upstream, name, version,
    unnest(CASE WHEN len(kinds) = 0 THEN ['metadata_changed'] ELSE kinds END) AS kind,
    server_hash_before, server_hash AS server_hash_after,
    meta_hash_before, meta_hash AS meta_hash_after,
    status_before, status AS status_after, was_latest, is_latest, walk_id
FROM kinds;
-- Every change since the beginning.
CREATE VIEW changes AS FROM changes_since('-infinity');
-- Names whose versions could not be read again; the next pull tries once more.
CREATE TABLE unsettled_names (upstream VARCHAR NOT NULL, name VARCHAR NOT NULL);
-- In how many full walks running the detail route showed an entry that the list did not.
ALTER TABLE entries ADD COLUMN hidden INTEGER DEFAULT 0;
-- Append-only: every entry that an edition of a feed has shown, so that a feed made anew can say what is gone.
CREATE TABLE served (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    edition VARCHAR NOT NULL
);
-- What kind of version a reference claims, and by which rules it was read.
ALTER TABLE package_refs ADD COLUMN version_kind VARCHAR;
ALTER TABLE package_refs ADD COLUMN rules VARCHAR;
-- The source and the form of the document that the validators belong to, what is still owed, why it
-- failed; for each of `missing` since when, and in how many answers.
ALTER TABLE package_checks ADD COLUMN source VARCHAR;
ALTER TABLE package_checks ADD COLUMN variant VARCHAR;
ALTER TABLE package_checks ADD COLUMN missing_since TIMESTAMPTZ[];
ALTER TABLE package_checks ADD COLUMN missing_counts INTEGER[];
ALTER TABLE package_checks ADD COLUMN owed INTEGER;
ALTER TABLE package_checks ADD COLUMN detail VARCHAR;
-- Drift needs the instant of the latest release; a change of owners shows in a hash of their names.
ALTER TABLE package_facts ADD COLUMN latest_published_at TIMESTAMPTZ;
ALTER TABLE package_facts ADD COLUMN owner_count INTEGER;
ALTER TABLE package_facts ADD COLUMN owners_hash VARCHAR;
-- `settled`: nothing is left to ask of the version. `evidence_sha256`: of what told the names.
ALTER TABLE version_facts ADD COLUMN yanked_reason VARCHAR;
ALTER TABLE version_facts ADD COLUMN provenance_repository VARCHAR;
ALTER TABLE version_facts ADD COLUMN newer_versions INTEGER;
ALTER TABLE version_facts ADD COLUMN resolved_version VARCHAR;
ALTER TABLE version_facts ADD COLUMN settled BOOLEAN;
ALTER TABLE version_facts ADD COLUMN evidence_sha256 VARCHAR;
-- What earlier runs learnt of each origin's host: the share of its ceilings that it bears, consecutive
-- failures, until when and why it is let alone, and the requests of one UTC day.
CREATE TABLE hosts (
    origin VARCHAR NOT NULL,
    share DOUBLE NOT NULL,
    failures INTEGER NOT NULL,
    closed_until TIMESTAMPTZ,
    reason VARCHAR NOT NULL,
    day VARCHAR NOT NULL,
    requests INTEGER NOT NULL
);
-- The newest fact of every package.
CREATE OR REPLACE VIEW current_package_facts AS
SELECT * FROM package_facts
QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1;
-- The newest fact of every package version.
CREATE OR REPLACE VIEW current_version_facts AS
SELECT * FROM version_facts
QUALIFY row_number() OVER (PARTITION BY origin, package, version ORDER BY observed_at DESC) = 1;
-- What became different of a package while one source told of it: who owns it, and that it was made
-- anew, after all that was published before.
CREATE VIEW package_history AS
SELECT
    origin, package,
    max(observed_at) FILTER (owners_hash <> owners_before) AS owners_changed_at,
    max(observed_at) FILTER (first_published_at > published_before) AS recreated_at
FROM (
    SELECT
        origin, package, observed_at, owners_hash, first_published_at,
        lag(owners_hash IGNORE NULLS) OVER told AS owners_before,
        lag(last_published_at IGNORE NULLS) OVER told AS published_before
    FROM package_facts
    WHERE state = 'known' AND outcome = 'ok'
    WINDOW told AS (PARTITION BY origin, package, source ORDER BY observed_at)
)
GROUP BY origin, package;
-- What a version ever was: the names it carried, and when its content became another one. Files of a
-- Python release come and go, and an alias is meant to move: their digests tell nothing of this.
CREATE VIEW version_history AS
SELECT
    origin, package, version,
    list_distinct(flatten(list(coalesce(server_names, [])))) AS ever_names,
    max(observed_at) FILTER (digest <> digest_before) AS digest_moved_at
FROM (
    SELECT
        origin, package, version, observed_at, server_names, digest,
        lag(digest IGNORE NULLS) OVER told AS digest_before
    FROM (
        SELECT * REPLACE (
            CASE
                WHEN origin <> 'pypi' AND settled IS NOT NULL AND resolved_version IS NULL
                    THEN digest
            END AS digest
        )
        FROM version_facts
        WHERE state = 'known' AND outcome = 'ok'
    )
    WINDOW told AS (PARTITION BY origin, package, version, source ORDER BY observed_at)
)
GROUP BY origin, package, version;
-- repository_of(URL): host/owner/name in lower case of a repository's address; NULL for others.
CREATE MACRO repository_of(url) AS nullif(regexp_extract(
    lower(url), '^https?://(?:www\.)?([^/@?#]+/[^/?#]+/[^/?#]+?)(?:\.git)?/?(?:[?#].*)?$', 1
), '');
-- How many servers claim each package with an entry that stands upstream.
CREATE VIEW package_claims AS
SELECT r.origin, r.package, count(DISTINCT e.name) AS claimants
FROM entries e
JOIN packages p USING (server_hash)
JOIN package_refs r
    ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
    AND r.identifier = p.identifier AND r.version = p.version
WHERE r.origin IS NOT NULL AND e.status <> 'deleted' AND e.vanished_at IS NULL
GROUP BY r.origin, r.package;
-- Every package of every known entry: what its registry says now, and what follows from it.
CREATE OR REPLACE VIEW entry_packages AS
SELECT
    * EXCLUDE (verdict, seen),
    verdict AS ownership_now,
    CASE
        WHEN verdict NOT IN ('verified', 'unknown', 'unsupported') AND was_verified
            THEN 'was_verified_now_not'
        ELSE verdict
    END AS ownership,
    1 AS ownership_rules,
    CASE
        WHEN rejected IS NOT NULL THEN 'not_applicable'
        WHEN package_state = 'known' AND package_outcome <> 'ok' THEN package_outcome
        WHEN version_state = 'known' AND version_outcome = 'version_absent' AND seen
            THEN 'version_withdrawn'
        WHEN version_state = 'known' AND version_outcome <> 'ok' THEN version_outcome
        WHEN version_state = 'known' AND yanked THEN 'yanked'
        WHEN version_state = 'known' AND deprecated IS NOT NULL THEN 'deprecated'
        WHEN version_state = 'known' THEN 'available'
        WHEN package_version = '' AND package_state = 'known' THEN 'available'
        ELSE 'unknown'
    END AS availability,
    CASE
        WHEN newer_versions = 0 THEN 0
        WHEN newer_versions > 0 AND latest_published_at > version_published_at
            THEN date_diff('day', version_published_at, latest_published_at)
    END AS days_behind,
    list_filter([
        CASE WHEN was_verified AND verdict NOT IN ('verified', 'unknown', 'unsupported')
            THEN 'was_verified_now_not' END,
        CASE WHEN verdict <> 'unknown' THEN verdict END,
        CASE WHEN verdict = 'verified' AND latest_server_names IS NOT NULL
            AND NOT list_contains(latest_server_names, name) THEN 'latest_not_owned' END,
        CASE WHEN package_state = 'known' AND package_outcome NOT IN ('ok', 'package_absent')
            THEN package_outcome END,
        CASE WHEN version_state = 'known' AND version_outcome = 'version_absent' AND seen
            THEN 'version_withdrawn' END,
        CASE WHEN yanked THEN 'yanked' END,
        CASE WHEN deprecated IS NOT NULL THEN 'deprecated' END,
        CASE WHEN package_status IN ('deprecated', 'archived') THEN 'package_' || package_status END,
        CASE WHEN version_kind IN ('alias', 'range', 'missing', 'invalid')
            THEN 'version_' || version_kind END,
        CASE WHEN install_scripts THEN 'install_scripts' END,
        CASE WHEN provenance THEN 'provenance' END,
        CASE WHEN repository_matches THEN 'repository_matches' END,
        CASE WHEN NOT repository_matches THEN 'repository_differs' END,
        CASE WHEN NOT provenance_matches THEN 'provenance_differs' END,
        CASE WHEN digest_moved_at IS NOT NULL THEN 'digest_moved' END,
        CASE WHEN owners_changed_at IS NOT NULL THEN 'owners_changed' END,
        CASE WHEN recreated_at IS NOT NULL THEN 'name_reused' END,
        CASE WHEN newer_versions > 0 THEN 'behind' END,
        CASE WHEN claimants > 1 THEN 'multi_claim' END
    ], lambda s: s IS NOT NULL) AS signals
FROM (
    SELECT
        e.upstream, e.name, e.version, p.ordinal, p.registry_type, p.identifier,
        p.version AS claimed_version, r.purl, r.origin, r.package, r.package_version,
        r.version_kind, r.rejected,
        f.state AS package_state, f.outcome AS package_outcome, f.latest_version, f.version_count,
        f.first_published_at, f.last_published_at, f.latest_published_at,
        CASE WHEN v.settled THEN v.license ELSE coalesce(v.license, f.license) END AS license,
        f.license_status,
        f.repository_url AS package_repository_url, f.status AS package_status,
        f.owner_count, f.source, f.observed_at,
        v.state AS version_state, v.outcome AS version_outcome,
        v.published_at AS version_published_at, v.yanked, v.yanked_reason, v.deprecated,
        v.install_scripts, v.provenance, v.provenance_repository, v.digest, v.server_names,
        v.newer_versions, v.resolved_version, v.evidence_sha256,
        v.observed_at AS version_observed_at,
        l.server_names AS latest_server_names,
        c.checked_at, c.stale_since, g.owners_changed_at, g.recreated_at, h.digest_moved_at,
        n.claimants, h.version IS NOT NULL AS seen,
        coalesce(list_contains(h.ever_names, e.name), false) AS was_verified,
        repository_of(t.repository_url) = repository_of(f.repository_url) AS repository_matches,
        repository_of(t.repository_url) = repository_of(v.provenance_repository)
            AS provenance_matches,
        CASE
            WHEN r.rejected IS NOT NULL OR r.version_kind IN ('missing', 'range') THEN 'unsupported'
            WHEN f.state = 'known' AND f.outcome <> 'ok' THEN 'package_absent'
            WHEN v.state = 'known' AND v.outcome <> 'ok' THEN 'version_absent'
            WHEN v.server_names IS NULL THEN 'unknown'
            WHEN list_contains(v.server_names, e.name) THEN 'verified'
            WHEN r.origin = 'pypi'
                AND len(list_filter(v.server_names, lambda s: starts_with(s, e.name))) > 0
                THEN 'marker_glued'
            WHEN len(v.server_names) = 0 THEN 'marker_absent'
            ELSE 'mismatch'
        END AS verdict,
        CASE
            WHEN r.rejected IS NOT NULL OR r.origin IS NULL THEN NULL
            WHEN f.state = 'known' AND f.outcome IN ('package_absent', 'unpublished', 'gone')
                THEN true
            WHEN v.state = 'known' AND v.outcome = 'version_absent' THEN true
            WHEN v.state = 'known' AND v.outcome = 'ok' THEN false
            WHEN r.package_version = '' AND f.state = 'known' AND f.outcome = 'ok' THEN false
        END AS absent
    FROM entries e
    JOIN packages p USING (server_hash)
    LEFT JOIN contents t USING (server_hash)
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN current_package_facts f ON f.origin = r.origin AND f.package = r.package
    LEFT JOIN current_version_facts v
        ON v.origin = r.origin AND v.package = r.package AND v.version = r.package_version
    LEFT JOIN current_version_facts l
        ON l.origin = r.origin AND l.package = r.package AND l.version = f.latest_version
    LEFT JOIN package_checks c ON c.origin = r.origin AND c.package = r.package
    LEFT JOIN package_history g ON g.origin = r.origin AND g.package = r.package
    LEFT JOIN version_history h
        ON h.origin = r.origin AND h.package = r.package AND h.version = r.package_version
    LEFT JOIN package_claims n ON n.origin = r.origin AND n.package = r.package
);
-- Append-only: how often a package was fetched, by whom counts it; weeks for npm and PyPI, all for Docker
-- Hub.
CREATE TABLE popularity (
    origin VARCHAR NOT NULL,
    package VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    downloads BIGINT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
);
-- The newest count of every package, and its rank among those of the same source (1 is the most).
CREATE VIEW current_popularity AS
SELECT *, percent_rank() OVER (PARTITION BY source ORDER BY downloads) AS rank
FROM (
    SELECT * FROM popularity
    QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1
);
-- One row per known entry with every column that a rule may use.
CREATE OR REPLACE VIEW policy_columns AS
SELECT
    e.upstream,
    e.name,
    e.version,
    split_part(e.name, '/', 1) AS namespace,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    e.is_latest,
    e.published_at,
    e.updated_at,
    e.first_seen,
    c.title,
    c.description,
    c.website_url,
    c.repository_url,
    c.repository_source,
    coalesce(c.package_count, 0) AS package_count,
    coalesce(c.remote_count, 0) AS remote_count,
    coalesce(p.registry_types, []) AS registry_types,
    coalesce(t.transports, []) AS transports,
    coalesce(p.absent_package_count, 0) AS absent_package_count,
    coalesce(p.unknown_package_count, 0) AS unknown_package_count,
    coalesce(p.stale_package_count, 0) AS stale_package_count,
    p.deprecated_package_count,
    p.yanked_package_count,
    p.install_script_package_count,
    p.provenance_package_count,
    coalesce(p.licenses, []) AS licenses,
    coalesce(p.ownerships, []) AS ownerships,
    coalesce(p.availabilities, []) AS availabilities,
    coalesce(p.signals, []) AS signals,
    coalesce(p.provenance_repositories, []) AS provenance_repositories,
    p.repository_matches,
    p.versions_behind,
    p.days_behind,
    p.package_first_published_at,
    p.package_published_at,
    p.digest_moved_at,
    p.owners_changed_at,
    p.claimant_count,
    p.downloads
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    SELECT
        upstream, name, version,
        list_sort(list_distinct(list(registry_type))) AS registry_types,
        count(*) FILTER (absent) AS absent_package_count,
        count(*) FILTER (absent IS NULL) AS unknown_package_count,
        count(*) FILTER (stale_since IS NOT NULL) AS stale_package_count,
        count(*) FILTER (deprecated IS NOT NULL) AS deprecated_package_count,
        count(*) FILTER (yanked) AS yanked_package_count,
        count(*) FILTER (install_scripts) AS install_script_package_count,
        count(*) FILTER (provenance) AS provenance_package_count,
        list_sort(list_distinct(list(license) FILTER (license IS NOT NULL))) AS licenses,
        list_sort(list_distinct(list(ownership))) AS ownerships,
        list_sort(list_distinct(list(availability))) AS availabilities,
        list_sort(list_distinct(flatten(list(signals)))) AS signals,
        list_sort(list_distinct(
            list(provenance_repository) FILTER (provenance_repository IS NOT NULL)
        )) AS provenance_repositories,
        CASE
            WHEN bool_or(NOT repository_matches) THEN false
            WHEN count(repository_matches) = count(*) THEN true
        END AS repository_matches,
        max(newer_versions) AS versions_behind,
        max(days_behind) AS days_behind,
        min(first_published_at) AS package_first_published_at,
        max(version_published_at) AS package_published_at,
        max(digest_moved_at) AS digest_moved_at,
        max(owners_changed_at) AS owners_changed_at,
        max(claimants) AS claimant_count,
        max(downloads) AS downloads
    FROM entry_packages
    LEFT JOIN current_popularity USING (origin, package)
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT server_hash, list_sort(list_distinct(list(type))) AS transports
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash);
-- packages_wanted(T): every claimed package, one row per (origin, package), whether it is due at T, and
-- in which tier: new claims; an alarm of the last 30 days or the most popular tenth; the rest. A package that several namespaces
-- claim counts as one of the smallest of them.
CREATE MACRO packages_wanted(t) AS TABLE
WITH sizes AS (
    SELECT split_part(e.name, '/', 1) AS namespace, count(*) AS claims
    FROM entries e JOIN packages p USING (server_hash)
    WHERE e.status <> 'deleted' AND e.vanished_at IS NULL
    GROUP BY ALL
),
claimed AS (
    SELECT
        r.origin,
        r.package,
        arg_min(split_part(e.name, '/', 1), z.claims) AS namespace,
        list_sort(list_distinct(list(r.package_version) FILTER (
            r.package_version <> '' AND r.version_kind <> 'range'
        ))) AS versions,
        max(e.published_at) AS newest,
        bool_or(d.verdict = 'admit') AS admitted
    FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
    JOIN packages p USING (server_hash)
    JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    JOIN sizes z ON z.namespace = split_part(e.name, '/', 1)
    LEFT JOIN verdicts d
        ON d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
    WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
    GROUP BY r.origin, r.package
),
known AS (
    SELECT
        origin, package, list(version) AS versions, list(coalesce(digest, '')) AS digests,
        list(coalesce(provenance, false)) AS provenances
    FROM current_version_facts
    WHERE state = 'known' AND outcome = 'ok' AND settled
    GROUP BY origin, package
),
watched AS (
    SELECT origin, package FROM package_history
    WHERE greatest(owners_changed_at, recreated_at) > t - INTERVAL 30 DAY
    UNION
    SELECT v.origin, v.package FROM current_version_facts v JOIN version_history h
        USING (origin, package, version)
    WHERE (v.state = 'known' AND v.outcome <> 'ok' AND v.observed_at > t - INTERVAL 30 DAY)
        OR (
            v.observed_at > t - INTERVAL 30 DAY
            AND NOT list_has_all(coalesce(v.server_names, h.ever_names), h.ever_names)
        )
        OR h.digest_moved_at > t - INTERVAL 30 DAY
    UNION
    SELECT origin, package FROM current_popularity WHERE rank >= 0.9
)
SELECT
    c.origin, c.package, c.namespace, coalesce(c.versions, []) AS versions,
    md5(array_to_string(coalesce(c.versions, []), chr(10))) AS versions_hash,
    k.versions AS known_versions, k.digests AS known_digests,
    k.provenances AS known_provenances,
    h.etag, h.last_modified, h.serial, h.variant, h.versions_hash AS checked_versions_hash,
    h.source, h.missing_since, h.missing_counts, coalesce(h.owed, 0) AS owed, h.absent_since,
    coalesce(h.missing, []) AS missing, coalesce(h.failures, 0) AS failures,
    h.stale_since, h.checked_at, f.last_published_at, c.newest,
    coalesce(c.admitted, false) AS admitted,
    CASE
        WHEN h.package IS NULL
            OR h.versions_hash <> md5(array_to_string(coalesce(c.versions, []), chr(10)))
            THEN 0
        WHEN a.package IS NOT NULL THEN 1
        ELSE 2
    END AS tier,
    h.package IS NULL OR h.due_at <= t
        OR (tier = 0 AND h.failures = 0 AND h.checked_at <= t - INTERVAL 10 MINUTE)
        OR (tier = 1 AND h.checked_at <= t - INTERVAL 1 DAY) AS due_now
FROM claimed c
LEFT JOIN known k USING (origin, package)
LEFT JOIN package_checks h USING (origin, package)
LEFT JOIN current_package_facts f USING (origin, package)
LEFT JOIN watched a USING (origin, package);
-- publisher_of(NAME): who a name's namespace belongs to: an account of a code host, a tenant of a hosting
-- platform, else the registered domain as far as its form tells.
CREATE MACRO publisher_of(name) AS regexp_extract(lower(name), '^((io\.(github|gitlab)|dev\.(workers|pages|fly|deno)|app\.(vercel|netlify|web)|com\.(trycloudflare|herokuapp|onrender|azurewebsites)|[a-z]{2}\.(co|com|net|org|gov|edu|ac))\.[^./]+|[^./]+\.[^./]+|[^/]+)', 1);
-- Namespaces that others might want to be taken for: vendors and projects that publish servers of their own.
CREATE VIEW well_known AS
SELECT unnest([
    'ai.smithery', 'app.linear', 'com.amazonaws', 'com.anthropic', 'com.apify', 'com.asana', 'com.atlassian',
    'com.auth0', 'com.box', 'com.canva', 'com.cloudflare', 'com.datadoghq', 'com.docker', 'com.dropbox',
    'com.elastic', 'com.figma', 'com.github', 'com.gitlab', 'com.google', 'com.googleapis', 'com.hubspot',
    'com.intercom', 'com.jetbrains', 'com.microsoft', 'com.mongodb', 'com.monday', 'com.netlify', 'com.notion',
    'com.openai', 'com.paypal', 'com.postman', 'com.pulsemcp', 'com.redis', 'com.salesforce', 'com.shopify',
    'com.slack', 'com.snowflake', 'com.square', 'com.stripe', 'com.supabase', 'com.twilio', 'com.vercel',
    'com.webflow', 'com.zapier', 'dev.sentry', 'io.modelcontextprotocol', 'io.sentry', 'org.postgresql',
    'io.github.anthropics', 'io.github.atlassian', 'io.github.awslabs', 'io.github.azure', 'io.github.brave',
    'io.github.browserbase', 'io.github.chromedevtools', 'io.github.cloudflare', 'io.github.elastic',
    'io.github.figma', 'io.github.github', 'io.github.google', 'io.github.googleapis', 'io.github.grafana',
    'io.github.hashicorp', 'io.github.huggingface', 'io.github.jetbrains', 'io.github.makenotion',
    'io.github.microsoft', 'io.github.modelcontextprotocol', 'io.github.mongodb', 'io.github.neo4j',
    'io.github.openai', 'io.github.redis', 'io.github.sentry', 'io.github.shopify', 'io.github.stripe',
    'io.github.supabase', 'io.github.upstash', 'io.github.vercel'
]) AS namespace;
-- look_alike(TEXT): its letters as a hasty reader sees them: 0 and o, 1, l and i, rn and m are one.
CREATE MACRO look_alike(text) AS replace(replace(translate(lower(text), '01i5-_', 'olls'), 'rn', 'm'), 'vv', 'w');
-- Namespaces that differ from a well-known one by a letter, or only to a careful reader.
CREATE VIEW name_look_alikes AS
SELECT n.namespace, min(w.namespace) AS look_alike_of
FROM (SELECT DISTINCT split_part(name, '/', 1) AS namespace FROM entries) n
JOIN well_known w
    ON lower(n.namespace) <> w.namespace
    AND split_part(lower(n.namespace), '.', 1) = split_part(w.namespace, '.', 1)
    AND (
        look_alike(n.namespace) = look_alike(w.namespace)
        OR (
            length(regexp_extract(w.namespace, '[^.]+$')) >= 8
            AND left(regexp_extract(lower(n.namespace), '[^.]+$'), 1) = left(regexp_extract(w.namespace, '[^.]+$'), 1)
            AND abs(length(n.namespace) - length(w.namespace)) <= 1
            AND damerau_levenshtein(lower(n.namespace), w.namespace) = 1
        )
    )
WHERE lower(n.namespace) NOT IN (SELECT namespace FROM well_known)
GROUP BY n.namespace;
-- Every server that stands upstream, by its latest version (the newest, where upstream names none or two): publisher, first publication, what it reads from.
CREATE VIEW standing_servers AS
SELECT
    e.upstream, e.name, e.version, e.server_hash, publisher_of(e.name) AS publisher,
    split_part(e.name, '/', 1) AS namespace, b.born,
    repository_of(c.repository_url) AS repository,
    c.repository_subfolder AS subfolder,
    CASE
        WHEN regexp_matches(lower(e.name), '^io\.(github|gitlab)\.')
            AND repository_of(c.repository_url) IS NOT NULL
        THEN starts_with(
            repository_of(c.repository_url),
            regexp_replace(lower(split_part(e.name, '/', 1)), '^io\.(github|gitlab)\.', '\1.com/') || '/'
        )
    END AS owns_repository
FROM entries e
SEMI JOIN current_bindings s ON s.name = e.name AND s.upstream = e.upstream
JOIN (SELECT upstream, name, min(published_at) AS born FROM entries GROUP BY upstream, name) b
    ON b.upstream = e.upstream AND b.name = e.name
LEFT JOIN contents c USING (server_hash)
WHERE e.status <> 'deleted' AND e.vanished_at IS NULL
QUALIFY row_number() OVER (
    PARTITION BY e.upstream, e.name ORDER BY e.is_latest DESC, e.published_at DESC, e.version DESC
) = 1;
-- The hosts that servers have remotes at, and the place of each server among those of a host.
CREATE VIEW server_hosts AS
SELECT
    name, host, count(*) OVER (PARTITION BY host) AS servers,
    row_number() OVER (PARTITION BY host ORDER BY born, name) AS place
FROM (
    SELECT DISTINCT
        s.name, s.born, regexp_extract(lower(r.url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1) AS host
    FROM standing_servers s
    JOIN remotes r USING (server_hash)
)
WHERE host <> '';
-- Append-only: the advisories that name a package version, each time they became others; none is an empty list.
CREATE TABLE purl_advisories (
    purl VARCHAR NOT NULL,
    ids VARCHAR[] NOT NULL,
    source VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL
);
-- When each package version was last asked for.
CREATE TABLE advisory_checks (
    purl VARCHAR NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL
);
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
);
-- The newest word of every advisory.
CREATE VIEW current_advisories AS
SELECT * FROM advisories
QUALIFY row_number() OVER (PARTITION BY id ORDER BY observed_at DESC, modified DESC) = 1;
-- Per package version that was asked for: the advisories that stand, and what they come to.
CREATE VIEW current_purl_advisories AS
SELECT
    p.purl, c.checked_at, p.source,
    coalesce(list_sort(list_distinct(list(i.id) FILTER (i.id IS NOT NULL))), []) AS ids,
    coalesce(list_sort(list_distinct(list(coalesce(i.severity, 'UNKNOWN')) FILTER (i.id IS NOT NULL))), [])
        AS severities,
    coalesce(bool_or(i.malicious), false) AS malicious
FROM (
    SELECT * FROM purl_advisories
    QUALIFY row_number() OVER (PARTITION BY purl ORDER BY observed_at DESC) = 1
) p
LEFT JOIN advisory_checks c USING (purl)
LEFT JOIN (
    SELECT n.purl, n.id, a.severity, coalesce(a.malicious, starts_with(n.id, 'MAL-')) AS malicious
    FROM (
        SELECT purl, unnest(ids) AS id
        FROM (
            SELECT * FROM purl_advisories
            QUALIFY row_number() OVER (PARTITION BY purl ORDER BY observed_at DESC) = 1
        )
    ) n
    LEFT JOIN current_advisories a USING (id)
    WHERE NOT coalesce(a.withdrawn, false)
) i ON i.purl = p.purl
GROUP BY p.purl, c.checked_at, p.source;
-- Per entry, what its packages come to now: the packages' part of policy_columns.
CREATE VIEW package_columns_now AS
SELECT
    upstream, name, version,
    list_sort(list_distinct(list(registry_type))) AS registry_types,
    count(*) FILTER (absent) AS absent_package_count,
    count(*) FILTER (absent IS NULL) AS unknown_package_count,
    count(*) FILTER (stale_since IS NOT NULL) AS stale_package_count,
    CASE WHEN bool_or(deprecated IS NOT NULL) OR NOT bool_or(untold)
        THEN count(*) FILTER (deprecated IS NOT NULL) END AS deprecated_package_count,
    CASE WHEN bool_or(yanked) OR NOT bool_or(untold)
        THEN count(*) FILTER (yanked) END AS yanked_package_count,
    CASE WHEN bool_or(install_scripts) OR NOT bool_or(untold)
        THEN count(*) FILTER (install_scripts) END AS install_script_package_count,
    CASE WHEN bool_or(provenance) OR NOT bool_or(untold)
        THEN count(*) FILTER (provenance) END AS provenance_package_count,
    list_sort(list_distinct(coalesce(list(license) FILTER (license IS NOT NULL), []))) AS licenses,
    list_sort(list_distinct(list(ownership))) AS ownerships,
    list_sort(list_distinct(list(availability))) AS availabilities,
    list_sort(list_distinct(flatten(list(signals)))) AS signals,
    list_sort(list_distinct(coalesce(
        list(provenance_repository) FILTER (provenance_repository IS NOT NULL), []
    ))) AS provenance_repositories,
    CASE
        WHEN bool_or(NOT repository_matches) THEN false
        WHEN count(repository_matches) = count(*) THEN true
    END AS repository_matches,
    CASE WHEN NOT bool_or(untold) THEN max(newer_versions) END AS versions_behind,
    CASE WHEN NOT bool_or(untold) THEN max(days_behind) END AS days_behind,
    CASE WHEN NOT bool_or(untold) THEN min(first_published_at) END AS package_first_published_at,
    max(CASE WHEN package_version = '' THEN latest_published_at ELSE version_published_at END)
        AS newest_publication,
    CASE WHEN NOT bool_or(untold) THEN newest_publication END AS package_published_at,
    bool_and(
        rejected IS NOT NULL OR coalesce(origin, registry_type) NOT IN ('npm', 'pypi')
        OR CASE WHEN package_version = '' THEN latest_published_at ELSE version_published_at END
            IS NOT NULL
    ) AS publication_known,
    max(digest_moved_at) AS digest_moved_at,
    max(owners_changed_at) AS owners_changed_at,
    max(claimants) AS claimant_count,
    max(downloads) AS downloads,
    min(checked_at) AS asked_at,
    list_sort(list_distinct(list(source) FILTER (source IS NOT NULL))) AS sources
FROM (
    SELECT *, absent IS NULL AS untold
    FROM entry_packages
    LEFT JOIN current_popularity USING (origin, package)
)
GROUP BY upstream, name, version;
-- The same as of the last curation, kept so that rules need not work it out again.
CREATE TABLE package_columns AS FROM package_columns_now LIMIT 0;
-- Per content, what the advisories of its packages come to now; NULL where nothing is found and one was not
-- looked for.
CREATE VIEW advisory_columns_now AS
SELECT
    server_hash,
    CASE WHEN count(ids) FILTER (len(ids) > 0) > 0 OR NOT bool_or(unchecked)
        THEN list_sort(list_distinct(flatten(list(coalesce(ids, []))))) END AS advisories,
    CASE WHEN count(ids) FILTER (len(ids) > 0) > 0 OR NOT bool_or(unchecked)
        THEN list_sort(list_distinct(flatten(list(coalesce(severities, []))))) END AS severities,
    CASE WHEN bool_or(malicious) THEN true WHEN NOT bool_or(unchecked) THEN false END AS is_malicious
FROM (
    SELECT
        p.server_hash, a.ids, a.severities, a.malicious,
        a.purl IS NULL AND coalesce(r.origin, p.registry_type) IN ('npm', 'pypi') AS unchecked
    FROM packages p
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN current_purl_advisories a ON a.purl = r.purl
)
GROUP BY server_hash;
-- The same as of the last curation.
CREATE TABLE advisory_columns AS FROM advisory_columns_now LIMIT 0;
-- Servers that share a package, a remote URL or a repository, and the one that stands for them: the owner
-- first (by marker, account or domain), then the oldest, then the most fetched.
CREATE VIEW clusters_now AS
SELECT
    kind, key, name, owned, born, count(*) OVER (PARTITION BY kind, key) AS size,
    row_number() OVER best AS place, first_value(name) OVER best AS canonical_name
FROM (
    SELECT
        'package' AS kind, coalesce(r.origin || ':' || r.package, p.registry_type || ':' || p.identifier) AS key,
        s.name, any_value(s.born) AS born, any_value(list_contains(c.ownerships, 'verified')) AS owned,
        any_value(c.downloads) AS downloads
    FROM standing_servers s
    JOIN packages p USING (server_hash)
    LEFT JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN package_columns c ON c.upstream = s.upstream AND c.name = s.name AND c.version = s.version
    GROUP BY ALL
    UNION ALL
    SELECT
        'remote', rtrim(regexp_replace(lower(r.url), '^[a-z]+://', ''), '/'), s.name, any_value(s.born),
        bool_or(ends_with(
            '.' || regexp_extract(lower(r.url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1),
            '.' || array_to_string(list_reverse(string_split(lower(s.namespace), '.')), '.')
        )),
        NULL
    FROM standing_servers s
    JOIN remotes r USING (server_hash)
    GROUP BY ALL
    UNION ALL
    SELECT
        'repository', s.repository || coalesce('#' || nullif(s.subfolder, ''), ''), s.name, s.born,
        coalesce(s.owns_repository, false), NULL
    FROM standing_servers s
    WHERE s.repository IS NOT NULL
)
WINDOW best AS (
    PARTITION BY kind, key ORDER BY coalesce(owned, false) DESC, born, downloads DESC NULLS LAST, name
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
QUALIFY size > 1;
-- The same as of the last curation.
CREATE TABLE clusters AS FROM clusters_now LIMIT 0;
-- Per standing server, what it is among all others now: the warehouse's part of policy_columns.
CREATE VIEW server_columns_now AS
SELECT
    s.name, s.owns_repository, k.cluster_size, k.cluster_kind, k.cluster_key, k.canonical_name, k.is_canonical,
    count(*) OVER (PARTITION BY s.publisher) AS publisher_server_count,
    row_number() OVER (PARTITION BY s.publisher ORDER BY s.born, s.name) AS publisher_rank,
    h.host_server_count, h.host_rank
FROM standing_servers s
LEFT JOIN (
    SELECT
        name,
        max(size) AS cluster_size,
        bool_and(place = 1) AS is_canonical,
        arg_min(kind, (place = 1, kind, -size, key)) AS cluster_kind,
        arg_min(key, (place = 1, kind, -size, key)) AS cluster_key,
        arg_min(canonical_name, (place = 1, kind, -size, key)) AS canonical_name
    FROM clusters
    GROUP BY name
) k USING (name)
LEFT JOIN (
    SELECT name, max(servers) AS host_server_count, max(place) AS host_rank
    FROM server_hosts
    GROUP BY name
) h USING (name);
-- The same as of the last curation.
CREATE TABLE server_columns AS FROM server_columns_now LIMIT 0;
-- text_flags(TEXT): what in a text is not for people: invisible signs, signs that turn the reading order, words
-- that direct a model. Marks that right-to-left texts, flags and emoji need do not count.
CREATE MACRO text_flags(text) AS list_filter([
    CASE WHEN regexp_matches(text, '[\x{00AD}\x{180E}\x{200B}\x{2060}-\x{2064}\x{FEFF}\x{FFF9}-\x{FFFB}]|(^|[^\x{1F3F4}\x{E0020}-\x{E007F}])[\x{E0000}-\x{E007F}]|[A-Za-z0-9][\x{200C}\x{200D}][A-Za-z0-9]')
        THEN 'invisible' END,
    CASE WHEN regexp_matches(text, '[\x{202A}-\x{202E}\x{2066}-\x{2069}]') THEN 'bidi' END,
    CASE WHEN regexp_matches(text, '(?i)\b(ignore|disregard|forget|override)\s+(all|any|the|your|every)?\s*(of\s+)?(the\s+|your\s+)?(previous|prior|above|earlier|preceding)\s+(instruction|prompt|rule|direction|message)|<\s*/?\s*(system|important|instructions?|assistant)\s*>|\b(do\s+not|don.t|never)\s+(tell|inform|warn|alert|notify)\s+the\s+user|\b(always|must)\s+(use|call|invoke|run)\s+this\s+(tool|server)\s+(first|before|instead|whenever)|\bbefore\s+(using|calling|running)\s+any\s+other\s+tool|\byou\s+(must|are\s+required\s+to)\s+(always|never|ignore|call|invoke|obey)\b|\bsystem\s+prompt\s*:')
        THEN 'instructions' END
], lambda f: f IS NOT NULL);
-- A macro of that name takes its place: some columns depend on the instant.
DROP VIEW policy_columns;
-- policy_columns(INSTANT): one row per known entry with every column that a rule may use, ages as of an instant;
-- what packages and other servers have to do with it, as of the last curation.
CREATE MACRO policy_columns(instant) AS TABLE
SELECT
    e.upstream,
    e.name,
    e.version,
    split_part(e.name, '/', 1) AS namespace,
    publisher_of(e.name) AS publisher,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    e.is_latest,
    e.published_at,
    e.updated_at,
    e.first_seen,
    greatest(epoch_us(instant) - epoch_us(e.published_at), 0) // 86400000000 AS age_days,
    greatest(epoch_us(instant) - epoch_us(e.updated_at), 0) // 86400000000 AS updated_days,
    c.title,
    c.description,
    c.website_url,
    c.repository_url,
    c.repository_source,
    coalesce(c.package_count, 0) AS package_count,
    coalesce(c.remote_count, 0) AS remote_count,
    coalesce(p.registry_types, []) AS registry_types,
    coalesce(t.transports, []) AS transports,
    coalesce(t.hosts, []) AS hosts,
    coalesce(p.absent_package_count, 0) AS absent_package_count,
    coalesce(p.unknown_package_count, 0) AS unknown_package_count,
    coalesce(p.stale_package_count, 0) AS stale_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.deprecated_package_count END AS deprecated_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.yanked_package_count END AS yanked_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.install_script_package_count END AS install_script_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN 0 ELSE p.provenance_package_count END AS provenance_package_count,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.licenses END AS licenses,
    coalesce(p.ownerships, []) AS ownerships,
    coalesce(p.availabilities, []) AS availabilities,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.signals END AS signals,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE p.provenance_repositories END AS provenance_repositories,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE a.advisories END AS advisories,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN [] ELSE a.severities END AS severities,
    CASE WHEN coalesce(c.package_count, 0) = 0 THEN false ELSE a.is_malicious END AS is_malicious,
    p.repository_matches,
    p.versions_behind,
    p.days_behind,
    p.package_first_published_at,
    p.package_published_at,
    greatest(epoch_us(instant) - epoch_us(p.package_published_at), 0) // 86400000000 AS package_age_days,
    p.digest_moved_at,
    p.owners_changed_at,
    p.downloads,
    coalesce(p.claimant_count, 0) AS claimant_count,
    coalesce(s.cluster_size, 1) AS cluster_size,
    s.cluster_kind,
    s.cluster_key,
    coalesce(s.canonical_name, e.name) AS canonical_name,
    coalesce(s.is_canonical, true) AS is_canonical,
    s.owns_repository,
    CASE WHEN len(t.hosts) > 0 THEN len(list_filter(t.hosts, lambda h: ends_with(
        '.' || h, '.' || array_to_string(list_reverse(string_split(lower(split_part(e.name, '/', 1)), '.')), '.')
    ))) = len(t.hosts) END AS owns_remotes,
    coalesce(s.publisher_server_count, 0) AS publisher_server_count,
    coalesce(s.publisher_rank, 0) AS publisher_rank,
    coalesce(s.host_server_count, 0) AS host_server_count,
    coalesce(s.host_rank, 0) AS host_rank,
    list_concat(
        text_flags(concat_ws(' ', c.title, c.description)),
        CASE WHEN l.namespace IS NOT NULL THEN ['look_alike'] ELSE [] END
    ) AS text_flags,
    l.look_alike_of,
    -- What a cooldown and an explanation need besides.
    CASE WHEN e.first_seen = b.bootstrap THEN e.published_at ELSE e.first_seen END AS known_since,
    coalesce(p.publication_known, true) AS publication_known,
    p.newest_publication,
    p.asked_at,
    p.sources,
    b.pulled_at
FROM entries e
LEFT JOIN contents c USING (server_hash)
LEFT JOIN advisory_columns a USING (server_hash)
LEFT JOIN package_columns p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (
    SELECT
        server_hash,
        list_sort(list_distinct(list(type))) AS transports,
        list_sort(list_distinct(list(
            regexp_extract(lower(url), '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)', 1)
        ))) AS hosts
    FROM remotes
    GROUP BY server_hash
) t USING (server_hash)
LEFT JOIN server_columns s ON s.name = e.name
LEFT JOIN name_look_alikes l ON l.namespace = split_part(e.name, '/', 1)
LEFT JOIN (
    SELECT upstream, bootstrap, pulled_at
    FROM (SELECT upstream, min(first_seen) AS bootstrap FROM entries GROUP BY upstream)
    LEFT JOIN (SELECT upstream, max(committed_at) AS pulled_at FROM walks GROUP BY upstream)
        USING (upstream)
) b ON b.upstream = e.upstream;
-- What every test came to (t, f or ?), the values that it saw, and until when a cooldown holds an entry.
ALTER TABLE verdicts ADD COLUMN held_until TIMESTAMPTZ;
-- One sign per rule, in order: t, f or ? for unknown.
ALTER TABLE verdicts ADD COLUMN results VARCHAR;
-- One sign per atom of the policy's rules: t, f or ?.
ALTER TABLE verdicts ADD COLUMN atoms VARCHAR;
-- JSON: the values of the columns that the rules read, where they are from and when that was asked.
ALTER TABLE verdicts ADD COLUMN seen VARCHAR;
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
);
-- Append-only: every policy that a feed was curated by, from when on, with its rules as JSON; blocks and
-- overlays that stand are among them.
CREATE TABLE policies (
    feed VARCHAR NOT NULL,
    policy_hash VARCHAR NOT NULL,
    outline_hash VARCHAR NOT NULL,
    outline VARCHAR NOT NULL,
    since TIMESTAMPTZ NOT NULL
);
-- The rules of every policy that a feed was curated by, in the order in which they are looked at.
CREATE VIEW policy_rules AS
SELECT
    feed, policy_hash, outline_hash, since, generate_subscripts(rules, 1) AS ordinal, unnest(rules) AS rule
FROM (
    SELECT
        feed, policy_hash, outline_hash, since,
        from_json(json_extract(outline, '$.rules'), '[{
            "name": "VARCHAR", "kind": "VARCHAR", "verdict": "VARCHAR", "reason": "VARCHAR",
            "when": "VARCHAR", "unknown": "VARCHAR"
        }]') AS rules
    FROM policies
);
-- Which outline of a policy (policies) the tests are of.
ALTER TABLE verdicts ADD COLUMN outline_hash VARCHAR;
-- Per feed and entry, every rule in order: what it came to, whether it decided, and the values that were seen.
CREATE VIEW verdict_rules AS
SELECT
    v.feed, v.upstream, v.name, v.version, r.ordinal, r.rule.name AS rule, r.rule.kind AS kind,
    r.rule.verdict AS verdict, r.rule.reason AS reason, r.rule.when AS expression,
    r.rule.unknown AS when_unknown,
    CASE substr(v.results, r.ordinal::BIGINT, 1) WHEN 't' THEN true WHEN 'f' THEN false END AS result,
    r.rule.name = v.rule AS decided, v.seen, v.decided_at
FROM verdicts v
JOIN policy_rules r ON r.feed = v.feed AND r.outline_hash = v.outline_hash;
-- What is served of each entry's packages, as of now, and a hash of it.
CREATE VIEW served_packages_now AS
SELECT *, hash(s::VARCHAR) AS print
FROM (
    SELECT
        upstream, name, version, ordinal, registry_type, identifier, claimed_version, purl, rejected,
        package_state, package_outcome, version_state, version_outcome, absent, latest_version,
        version_published_at, deprecated, yanked, yanked_reason, license, install_scripts, provenance,
        provenance_repository, digest, server_names, package_repository_url, origin, observed_at,
        ownership, ownership_now, availability, newer_versions, days_behind, resolved_version,
        first_published_at, last_published_at, digest_moved_at, owners_changed_at, recreated_at,
        claimants, repository_matches, evidence_sha256, signals, version_observed_at, a.ids AS advisories,
        a.severities, a.malicious
    FROM entry_packages
    LEFT JOIN (SELECT purl, ids, severities, malicious FROM current_purl_advisories) a USING (purl)
) s;
-- The same as of the last curation, kept so that a build finds those of a few servers at once.
CREATE TABLE served_packages AS FROM served_packages_now;
-- A hash of all that decides how a feed shows the entry.
ALTER TABLE verdicts ADD COLUMN print UBIGINT;
-- The curation at which that hash became what it is.
ALTER TABLE verdicts ADD COLUMN changed_at TIMESTAMPTZ;
-- Servers of which a feed lost a verdict: since that curation they need to be looked at.
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
