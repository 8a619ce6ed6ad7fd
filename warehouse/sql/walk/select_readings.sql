-- One reading per key: the newest update wins, then the reading that is not stale, then the one read last.
CREATE OR REPLACE TEMP TABLE reading AS
SELECT * FROM incoming
QUALIFY row_number() OVER (
    PARTITION BY name, version ORDER BY updated_at DESC, stale, ordinal DESC
) = 1
