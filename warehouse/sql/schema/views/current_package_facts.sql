-- The newest fact of every package.
CREATE OR REPLACE VIEW current_package_facts AS
SELECT * FROM package_facts
QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1
