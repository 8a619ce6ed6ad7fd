-- Servers that a feed must judge again. A rule that reads an age changes its result when a version passes one of the
-- turning ages, which are given by column; NULL means every age.
CREATE TEMP TABLE scope AS
SELECT name
FROM rederived
WHERE derivation > $derivation AND (columns IS NULL OR list_has_any(columns, $columns::VARCHAR[]))
UNION
SELECT name FROM verdicts WHERE feed = $feed AND held_until <= $now
UNION
SELECT name
FROM entries
WHERE passes_age(published_at, $last, $now, $age_days::BIGINT[])
    OR passes_age(updated_at, $last, $now, $updated_days::BIGINT[])
UNION
SELECT name FROM package_columns WHERE passes_age(package_published_at, $last, $now, $package_age_days::BIGINT[])
UNION
SELECT unnest($blocked::VARCHAR[])
