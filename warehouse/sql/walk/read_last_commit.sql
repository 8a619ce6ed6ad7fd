-- Releases of names are commits too.
SELECT greatest(
    (SELECT max(committed_at) FROM state), (SELECT max(bound_at) FROM bindings)
) AS at
