-- Append-only: the account of each upstream, feed and profile (`HOME/state`) whenever a run found it changed: what was
-- tried last, what came of it, what waits. `subject` is such as `upstreams/official`; `account` is JSON.
CREATE TABLE accounts (
    subject VARCHAR NOT NULL,
    noted_at TIMESTAMPTZ NOT NULL,
    account VARCHAR NOT NULL
);

-- Append-only: how many lines the audit log had, and the SHA-256 of the last one, as each run found it. A log that is
-- shorter, or has another line there, was changed.
CREATE TABLE audit_heads (
    noted_at TIMESTAMPTZ NOT NULL,
    lines BIGINT NOT NULL,
    chain VARCHAR NOT NULL
)
