-- The newest state of every advisory.
CREATE OR REPLACE VIEW current_advisories AS
SELECT * FROM advisories
QUALIFY row_number() OVER (PARTITION BY id ORDER BY observed_at DESC, modified DESC) = 1
