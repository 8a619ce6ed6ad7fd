-- The newest fact of every package version.
CREATE OR REPLACE VIEW current_version_facts AS
SELECT * FROM version_facts
QUALIFY row_number() OVER (PARTITION BY origin, package, version ORDER BY observed_at DESC) = 1
