-- What a derivation would see now, beside what the last one saw.
SELECT
    upstream, e.bootstrap, d.bootstrap AS bootstrap_before, d.upstream IS NOT NULL AS known,
    s.full_walk_at IS DISTINCT FROM d.full_walk_at AS is_walked,
    -- An upstream that cannot be asked for what changed is walked at every pull.
    s.watermark IS NOT NULL AS is_walked_seldom
FROM (SELECT upstream, min(first_seen) AS bootstrap FROM entries GROUP BY upstream) e
LEFT JOIN state s USING (upstream)
LEFT JOIN derived_upstreams d USING (upstream)
