SELECT * FROM policy_columns($now)
WHERE name = $name
ORDER BY is_latest DESC, published_at DESC
LIMIT 1
