INSERT INTO derived_upstreams
SELECT upstream, max(commit), min(e.first_seen), any_value(s.full_walk_at)
FROM entries e
LEFT JOIN state s USING (upstream)
GROUP BY upstream
