-- Append-only: which upstream a name belongs to, from when on; NULL releases it.
CREATE TABLE bindings (
    name VARCHAR NOT NULL,
    upstream VARCHAR,
    bound_at TIMESTAMPTZ NOT NULL
)
