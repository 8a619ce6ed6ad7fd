-- Take names from the upstream that they belong to, and give each to the first of `precedence` that has it; a name
-- that no upstream has belongs to nobody.
INSERT INTO bindings
SELECT n.name, h.upstream, $now
FROM (
    SELECT b.name
    FROM current_bindings b
    WHERE b.name IN (SELECT unnest($names::VARCHAR[])) OR b.upstream = $of
) n
LEFT JOIN (
    SELECT e.name, arg_min(e.upstream, p.rank) AS upstream
    FROM entries e
    JOIN (
        SELECT unnest($precedence::VARCHAR[]) AS upstream,
            generate_subscripts($precedence::VARCHAR[], 1) AS rank
    ) p USING (upstream)
    WHERE e.vanished_at IS NULL AND e.status <> 'deleted' AND e.upstream IS DISTINCT FROM $of
    GROUP BY e.name
) h USING (name)
