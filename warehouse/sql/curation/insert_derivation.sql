INSERT INTO derivation BY NAME
SELECT
    $number AS number, $now AS derived_at, $software AS software, $reviewed AS reviewed,
    $reviewed_at AS reviewed_at,
    (SELECT max(bound_at) FROM bindings) AS bound_at
