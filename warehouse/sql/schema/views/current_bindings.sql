-- The upstream that every name belongs to now; a released name has no row.
CREATE OR REPLACE VIEW current_bindings AS
SELECT name, upstream, bound_at
FROM (
    SELECT * FROM bindings
    QUALIFY row_number() OVER (PARTITION BY name ORDER BY bound_at DESC) = 1
)
WHERE upstream IS NOT NULL
