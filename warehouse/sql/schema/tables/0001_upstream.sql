-- One row per upstream: where the next pull starts, how many commits there were, and what the last full walk saw.
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

-- Append-only: every committed walk with its counts. `complete`: it showed every entry that it had to, so what we have
-- is what upstream had at `asked_at`; else the watermark stayed.
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
    watermark TIMESTAMPTZ,
    complete BOOLEAN NOT NULL
);

-- Append-only: JSON as upstream sent it, once per distinct content. The key is its sha256 (hex): join it with
-- `server_hash`, `meta_hash` or `raw_hash`.
CREATE TABLE bodies (
    hash VARCHAR NOT NULL,
    body VARCHAR NOT NULL USING COMPRESSION zstd,
    first_seen TIMESTAMPTZ NOT NULL
);

-- What we know now: one row per (upstream, name, version), including tombstones (`vanished_at`). `missing_since`: the
-- last full walk did not meet the entry; `hidden`: in how many full walks in a row only the detail route showed it.
-- Upstream's times and ours stand side by side; `commit` is the number of the commit that last changed the row.
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
    vanished_at TIMESTAMPTZ,
    -- In how many full walks in a row only the detail route showed the entry, not the list.
    hidden INTEGER DEFAULT 0
);

-- Append-only: every state of an entry that we saw, from the instant we knew it (`valid_from`).
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

-- The packages that a server.json claims, in its order, by `server_hash`.
CREATE TABLE packages (
    server_hash VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    file_sha256 VARCHAR
);

-- The remotes that a server.json offers, in its order, by `server_hash`.
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
    released_at TIMESTAMPTZ,
    -- How often the detail route was asked for the record again.
    attempts INTEGER DEFAULT 0,
    -- When to ask again; every reconcile meets the record anyway.
    retry_at TIMESTAMPTZ,
    -- read: its key was read well later; replaced: by another unreadable record; gone: upstream no longer has it.
    released_because VARCHAR
);

-- Append-only: which upstream a name belongs to, and since when; NULL releases the name.
CREATE TABLE bindings (
    name VARCHAR NOT NULL,
    upstream VARCHAR,
    bound_at TIMESTAMPTZ NOT NULL
);

-- Names whose versions could not be read again; the next pull tries again.
CREATE TABLE unsettled_names (upstream VARCHAR NOT NULL, name VARCHAR NOT NULL)
