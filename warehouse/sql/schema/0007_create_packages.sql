-- The packages a server.json claims, in its order.
CREATE TABLE packages (
    server_hash VARCHAR NOT NULL,
    ordinal INTEGER NOT NULL,
    registry_type VARCHAR NOT NULL,
    registry_base_url VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    file_sha256 VARCHAR
)
