-- Drift needs the instant of the latest release; a change of owners shows in a hash of their names.
ALTER TABLE package_facts ADD COLUMN latest_published_at TIMESTAMPTZ;
ALTER TABLE package_facts ADD COLUMN owner_count INTEGER;
ALTER TABLE package_facts ADD COLUMN owners_hash VARCHAR
