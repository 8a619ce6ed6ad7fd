SELECT name, version
FROM entries
WHERE upstream = $upstream AND vanished_at IS NULL AND missing_since IS NULL AND status = 'active'
ORDER BY commit DESC, name, version
LIMIT 50
