-- `settled`: nothing is left to ask of the version. `evidence_sha256`: of what told the names.
ALTER TABLE version_facts ADD COLUMN yanked_reason VARCHAR;
ALTER TABLE version_facts ADD COLUMN provenance_repository VARCHAR;
ALTER TABLE version_facts ADD COLUMN newer_versions INTEGER;
ALTER TABLE version_facts ADD COLUMN resolved_version VARCHAR;
ALTER TABLE version_facts ADD COLUMN settled BOOLEAN;
ALTER TABLE version_facts ADD COLUMN evidence_sha256 VARCHAR
