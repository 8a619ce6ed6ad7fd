-- The remotes a server.json offers, in its order.
CREATE TABLE remotes (
    server_hash VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    type VARCHAR NOT NULL,
    url VARCHAR NOT NULL
)
