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
)
