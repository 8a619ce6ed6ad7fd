SELECT * FROM policy_columns($now)
SEMI JOIN current_bindings USING (name, upstream)
WHERE name = $name
ORDER BY is_latest DESC, published_at DESC
LIMIT 1
