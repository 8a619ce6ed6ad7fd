-- One reading per key: the newest change wins, then what was read last.
CREATE OR REPLACE TEMP TABLE reading AS
SELECT * FROM incoming
QUALIFY row_number() OVER (
    PARTITION BY name, version ORDER BY updated_at DESC, stale, ordinal DESC
) = 1
