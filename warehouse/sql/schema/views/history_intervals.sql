-- History as intervals of our knowledge; valid_to is NULL for the present state.
CREATE OR REPLACE VIEW history_intervals AS
SELECT
    *,
    lead(valid_from) OVER (PARTITION BY upstream, name, version ORDER BY valid_from) AS valid_to
FROM history
