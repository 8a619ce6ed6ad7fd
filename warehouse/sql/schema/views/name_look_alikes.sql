-- Namespaces that differ from a well-known one by one letter, or so little that only a careful reader sees it.
CREATE OR REPLACE VIEW name_look_alikes AS
SELECT n.namespace, min(w.namespace) AS look_alike_of
FROM (SELECT DISTINCT split_part(name, '/', 1) AS namespace FROM entries) n
JOIN well_known w
    ON lower(n.namespace) <> w.namespace
    AND split_part(lower(n.namespace), '.', 1) = split_part(w.namespace, '.', 1)
    AND (
        look_alike(n.namespace) = look_alike(w.namespace)
        OR (
            -- Short names differ by one letter by chance.
            length(regexp_extract(w.namespace, '[^.]+$')) >= 8
            AND left(regexp_extract(lower(n.namespace), '[^.]+$'), 1) = left(regexp_extract(w.namespace, '[^.]+$'), 1)
            AND abs(length(n.namespace) - length(w.namespace)) <= 1
            AND damerau_levenshtein(lower(n.namespace), w.namespace) = 1
        )
    )
WHERE lower(n.namespace) NOT IN (SELECT namespace FROM well_known)
GROUP BY n.namespace
